"""Answers that a host writes to a topic of a real Kafka."""

from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from slipway_crds.contract import MODEL_KEY_FILE
from slipway_crds.kafka import KafkaTopic
from slipway_crds.runtimeconfig import AnswersBinding
from slipway_runtime.events import Done
from slipway_runtime.host import lifecycle
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.host.lifecycle import Host
from slipway_runtime.kafka.answers import AnswerWriter, message_of
from slipway_runtime.kafka.connection import MESSAGE_BYTES, KafkaConnection
from slipway_runtime.run import Run
from slipway_runtime.store.answers import claim_answers, mark_written
from slipway_runtime.store.database import Database
from tests.support.kafka_server import KafkaServer
from tests.support.kafka_topics import new_topic, reading
from tests.support.scripts import AGENT, StartHost, answer, ask, at_once, begin, hosted
from tests.support.waiting import until


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Topics are looked at all the time."""
    monkeypatch.setattr(lifecycle, "ANSWERS_EVERY_SECONDS", 0.05)


def writing_to(brokers: str, topic: str, folder: Path, **more: Any) -> HostedAgent:
    """The test's agent, whose answers go to a topic."""
    kafka = KafkaTopic.model_validate({"brokers": [brokers], "topic": topic, **more})
    return replace(hosted(at_once), answers=lambda: AnswersBinding(topic=kafka, folder=str(folder)))


async def asked(host: Host, *questions: str) -> dict[str, str]:
    """Ask, wait for the answers, and return the questions by the run's id."""
    found = {}
    for question in questions:
        run = ask(question)
        await begin(host, run)
        await answer(host, run)
        found[run.run_id] = question
    return found


@pytest.mark.proves("Agent.answersTo.kafka.brokers", "Agent.answersTo.kafka.topic")
async def test_each_answer_comes_with_its_run(start_host: StartHost, kafka_server: KafkaServer, tmp_path: Path) -> None:
    topic = new_topic("answers")
    host = await start_host(writing_to(kafka_server.brokers, topic, tmp_path))
    before = await asked(host, "Why?", "How?")
    async with reading(kafka_server.brokers, topic) as wait:
        assert len(await wait(2)) == 2
        after = await asked(host, "When?")
        records = await wait(3)
    messages = [orjson.loads(record.value or b"") for record in records]
    assert [(record.key or b"").decode() for record in records] == [each["run_id"] for each in messages]
    assert {each["run_id"]: each["question"] for each in messages} == before | after, "each of them, and no other"
    (first,) = [each for each in messages if each["question"] == "Why?"]
    assert (first["agent"], first["caller"], first["result"]["type"]) == (AGENT, "alice", "done")
    assert first["result"]["answer"] == "Why?"
    assert first["session_id"]
    assert first["created"] <= first["ended"]
    assert host.answers.problems() == []


async def test_answers_of_before_are_written_by_the_next_host(
    start_host: StartHost, kafka_server: KafkaServer, tmp_path: Path
) -> None:
    first = await start_host(writing_to("127.0.0.1:1", "answers", tmp_path))
    expected = await asked(first, "Why?")
    await until(lambda: "no broker can be reached" in str(first.answers.problems()), "the problem is said")
    topic = new_topic("answers")
    await start_host(writing_to(kafka_server.brokers, topic, tmp_path))
    async with reading(kafka_server.brokers, topic) as wait:
        (record,) = await wait(1)
    assert (record.key or b"").decode() in expected


async def test_a_host_follows_another_topic(start_host: StartHost, kafka_server: KafkaServer, tmp_path: Path) -> None:
    agent = writing_to(kafka_server.brokers, new_topic("former"), tmp_path)
    host = await start_host(agent)
    topic = new_topic("answers")
    host.serve([writing_to(kafka_server.brokers, topic, tmp_path)])
    await until(lambda: not host.answers.problems(), "it is connected")
    await asked(host, "Why?")
    async with reading(kafka_server.brokers, topic) as wait:
        await wait(1)
    host.serve([hosted(at_once)])
    await host.answers.look()
    assert host.answers.problems() == []


async def test_a_claim_is_one_hosts_until_it_runs_out(start_host: StartHost, database: Database) -> None:
    host = await start_host(hosted(at_once))
    runs = await asked(host, "Why?", "How?")
    (first,) = await claim_answers(database, AGENT, seconds=60, limit=1)
    (second,) = await claim_answers(database, AGENT, seconds=-1, limit=5)
    assert {first.run_id, second.run_id} == set(runs)
    (again,) = await claim_answers(database, AGENT, seconds=60, limit=5)
    assert again.run_id == second.run_id, "whoever claimed it died"
    await mark_written(database, [first, again])
    await database.execute("UPDATE runs SET writing_until = 0")
    assert await claim_answers(database, AGENT, seconds=60, limit=5) == []
    assert await claim_answers(database, "demo/other", seconds=60, limit=5) == []


async def test_an_answer_that_is_too_large_comes_without_its_content(start_host: StartHost, database: Database) -> None:
    async def long(run: Run) -> Done:
        return Done(answer="x" * (MESSAGE_BYTES - 10_000), finish="stop", sources=())

    host = await start_host(hosted(long))
    (run_id,) = await asked(host, "Why? " * 4000)
    (large,) = await claim_answers(database, AGENT, seconds=60, limit=1)
    written = orjson.loads(message_of(large))
    assert (written["run_id"], written["truncated"]) == (run_id, True)
    assert "result" not in written


async def test_a_login_waits_for_its_password(
    tmp_path: Path, kafka_server: KafkaServer, database: Database, stack: AsyncExitStack
) -> None:
    login = {"username": "me", "passwordRef": {"name": "login", "key": "password"}}
    kafka = KafkaTopic.model_validate({"brokers": ["127.0.0.1:1"], "topic": "answers", "tls": {}, "sasl": login})
    connection = KafkaConnection(kafka, tmp_path, password_file=MODEL_KEY_FILE)
    with pytest.raises(Exception, match=f"{tmp_path}/{MODEL_KEY_FILE} is not there"):
        await AnswerWriter(AGENT, connection, database)._write()
