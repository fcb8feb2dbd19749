"""Runs by messages of a real Kafka, and their events written to it."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from slipway_crds.workflows.triggers import PUBLISH_FOLDER
from slipway_runtime.store.database import StoreUnavailable
from slipway_runtime.workflows.records import RunState, WorkflowRun
from slipway_runtime.workflows.triggers.running import Triggers
from tests.support.kafka_server import KafkaServer
from tests.support.kafka_topics import new_topic, reading, write
from tests.support.waiting import until_async
from tests.support.workflows import WORKFLOW, Engine, workflow

SPEC = """
steps: [{{name: greet, agentRef: {{name: clerk}}, ask: "${{input.order}}"}}]
input: {{schema: {{type: object, required: [order], properties: {{order: {{type: string}}}}}}}}
triggers:
  - name: orders
    kafka: {{brokers: ["{brokers}"], topic: {topic}{more}}}
{given}
"""
GIVEN = '    input: {order: "${message.value.id}"}'


def spec(kafka: KafkaServer, topic: str, *, more: str = "", given: str = GIVEN) -> str:
    return SPEC.format(brokers=kafka.brokers, topic=topic, more=more, given=given)


async def done(engine: Engine, count: int) -> list[WorkflowRun]:
    """Wait until there are so many runs that have ended; there are no others."""
    found: list[WorkflowRun] = []
    store = engine.engine.store

    async def there() -> bool:
        found[:] = [await store.read(run.id) for run in await store.listed(WORKFLOW)]
        return len([run for run in found if run.state is RunState.DONE]) == count

    await until_async(there, f"{count} runs have ended")
    assert len(found) == count
    return found


async def asides(engine: Engine) -> list[tuple[Any, Any, Any]]:
    rows = await engine.engine.database.fetch("SELECT place, reason, value FROM workflow_poison ORDER BY place")
    return [(row["place"], row["reason"], row["value"]) for row in rows]


@pytest.mark.proves(
    "Workflow.triggers[].name",
    "Workflow.triggers[].input",
    "Workflow.triggers[].kafka.brokers",
    "Workflow.triggers[].kafka.topic",
    "Workflow.triggers[].kafka.group",
)
async def test_each_message_begins_one_run(engine: Engine, triggers: Triggers, kafka_server: KafkaServer) -> None:
    topic, group = new_topic("orders"), secrets.token_hex(4)
    engine.define(workflow(spec(kafka_server, topic, more=f", group: {group}")))
    await write(kafka_server.brokers, topic, {"id": "a"}, {"id": "b"})
    async with triggers.serving():
        runs = await done(engine, 2)
        assert {run.input["order"] for run in runs} == {"a", "b"}
        assert {(run.started_by, run.caller) for run in runs} == {("kafka", "workflow|demo/test")}
        assert triggers.problems() == {}
    # As after a worker that died before it committed: all messages come once more, and begin nothing.
    engine.define(workflow(spec(kafka_server, topic, more=f", group: {group}-anew")))
    await write(kafka_server.brokers, topic, {"id": "c"})
    async with triggers.serving():
        assert {run.input["order"] for run in await done(engine, 3)} == {"a", "b", "c"}


@pytest.mark.proves("Workflow.triggers[].kafka.deduplicateBy")
async def test_messages_with_the_same_value_begin_one_run(
    engine: Engine, triggers: Triggers, kafka_server: KafkaServer
) -> None:
    topic = new_topic("orders")
    engine.define(workflow(spec(kafka_server, topic, more=", deduplicateBy: message.value.id")))
    await write(kafka_server.brokers, topic, {"id": "a", "n": 1}, {"id": "a", "n": 2}, {"id": "b"}, {"n": 3})
    async with triggers.serving():
        assert {run.input["order"] for run in await done(engine, 2)} == {"a", "b"}
        await until_async(lambda: _has(engine, 1), "the one without an id is put aside")
    assert [reason for _, reason, _ in await asides(engine)] == ["ExpressionFailed"]


async def _has(engine: Engine, count: int) -> bool:
    return len(await asides(engine)) == count


@pytest.mark.proves("Workflow.triggers[].kafka.deadLetterTopic")
@pytest.mark.parametrize("dead_letters", [True, False])
async def test_poison_is_put_aside_and_holds_up_nothing(
    engine: Engine, triggers: Triggers, kafka_server: KafkaServer, dead_letters: bool
) -> None:
    topic, dead = new_topic("orders"), new_topic("dead")
    more = f", deadLetterTopic: {dead}" if dead_letters else ""
    engine.define(workflow(spec(kafka_server, topic, more=more)))
    poison = (b"{no json", orjson.dumps({"id": 7}), orjson.dumps({"other": 1}), b"")
    await write(kafka_server.brokers, topic, *poison, {"id": "good"}, key=b"k")
    async with triggers.serving():
        (run,) = await done(engine, 1)
    assert run.input == {"order": "good"}
    reasons = ["InvalidJson", "InvalidInput", "ExpressionFailed", "ExpressionFailed"]
    found = await asides(engine)
    assert [(place, reason) for place, reason, _ in found] == [
        (f"{topic}/0/{offset}", reason) for offset, reason in enumerate(reasons)
    ]
    assert found[0][2] == "{no json"
    if dead_letters:
        async with reading(kafka_server.brokers, dead) as wait:
            records = await wait(4)
        assert [record.value or b"" for record in records] == list(poison)
        assert {record.key for record in records} == {b"k"}
        assert [dict(record.headers)["slipway-reason"].decode() for record in records] == reasons
        assert dict(records[0].headers)["slipway-from"].decode() == f"{topic}/0/0"


async def test_a_message_waits_for_the_store(
    engine: Engine, triggers: Triggers, kafka_server: KafkaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = new_topic("orders")
    engine.define(workflow(spec(kafka_server, topic)))
    begin, failures = engine.engine.begin, iter(range(2))

    async def unavailable(new: Any) -> WorkflowRun:
        if next(failures, None) is not None:
            raise StoreUnavailable("as the test says")
        return await begin(new)

    monkeypatch.setattr(engine.engine, "begin", unavailable)
    await write(kafka_server.brokers, topic, {"id": "a"})
    async with triggers.serving():
        await done(engine, 1)
    assert await asides(engine) == []


@pytest.mark.proves("Workflow.publish.kafka.brokers", "Workflow.publish.kafka.topic")
async def test_events_are_written_in_their_order(engine: Engine, triggers: Triggers, kafka_server: KafkaServer) -> None:
    topic = new_topic("events")
    step = "steps: [{name: greet, agentRef: {name: clerk}, ask: hello}]"
    publish = f'publish: {{kafka: {{brokers: ["{kafka_server.brokers}"], topic: {topic}}}}}'
    runs = [await engine.run(f"{step}\n{publish}") for _ in range(3)]
    expected = {run.id: await engine.events(run) for run in runs}
    async with triggers.serving(), reading(kafka_server.brokers, topic) as wait:
        records = await wait(sum(map(len, expected.values())))
    written: dict[str, list[Any]] = {}
    for record in records:
        written.setdefault((record.key or b"").decode(), []).append(orjson.loads(record.value or b""))
    assert {run: [event["type"] for event in events] for run, events in written.items()} == expected
    for run, events in written.items():
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert {(event["run_id"], event["workflow"]) for event in events} == {(run, WORKFLOW)}


async def test_a_broker_that_is_not_there_is_a_problem_of_its_workflow(engine: Engine, triggers: Triggers) -> None:
    engine.define(workflow(SPEC.format(brokers="127.0.0.1:1", topic="orders", more="", given=GIVEN)))
    async with triggers.serving():
        await until_async(lambda: _reported(triggers), "the problem is reported")


async def _reported(triggers: Triggers) -> bool:
    return "trigger orders: " in triggers.problems().get(WORKFLOW, "") and "not connected" not in str(
        triggers.problems()
    )


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A broker with TLS, which asks for a login."""
    server = KafkaServer(tmp_path_factory.mktemp("secured"), secured=True)
    server.start()
    yield server
    server.stop()


@pytest.mark.proves(
    "Workflow.triggers[].kafka.sasl.*",
    "Workflow.publish.kafka.tls.*",
    "Workflow.publish.kafka.sasl.*",
)
async def test_a_login_by_tls_waits_for_its_files(
    engine: Engine, triggers: Triggers, secured: KafkaServer, tmp_path: Path
) -> None:
    secure = (
        f'brokers: ["{secured.brokers}"], tls: {{caBundleRef: {{name: ca, key: ca.crt}}}}, '
        "sasl: {mechanism: SCRAM-SHA-512, username: me, passwordRef: {name: login, key: password}}"
    )
    step = 'steps: [{name: greet, agentRef: {name: clerk}, ask: "${input.order}"}]'
    # The events of runs are messages too, which all begin one and the same run.
    begins = (
        f"triggers: [{{name: orders, input: {{order: b}}, kafka: {{topic: orders, deduplicateBy: '1', {secure}}}}}]"
    )
    definition = workflow(f"{step}\n{begins}\npublish: {{kafka: {{topic: orders, {secure}}}}}")
    engine.define(definition)
    folder = tmp_path / "kafka" / WORKFLOW
    async with triggers.serving():
        await until_async(lambda: _said(triggers, "is not there"), "what is missing is said")
        assert secured.authorities is not None
        for topic in ("orders", PUBLISH_FOLDER):
            (folder / topic).mkdir(parents=True)
            (folder / topic / "ca.crt").write_bytes(secured.authorities.read_bytes())
            (folder / topic / "password").write_text("wrong")
        await until_async(lambda: _said(triggers, "none takes the login"), "a wrong password is said")
        for topic in ("orders", PUBLISH_FOLDER):
            (folder / topic / "password").write_text("secret\n")
        await engine.begin(order="a")
        assert {run.input["order"] for run in await done(engine, 2)} == {"a", "b"}
        assert triggers.problems() == {}


async def _said(triggers: Triggers, words: str) -> bool:
    return words in str(triggers.problems())
