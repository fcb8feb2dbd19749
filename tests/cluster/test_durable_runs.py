"""Workflows on a real cluster: the shipped example by HTTP, a run whose worker dies in the middle of it, and runs by a
schedule and by a message of Kafka, whose agent calls the tool of a plugin."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from devcluster.settings import NODE_ADDRESS
from tests.cluster.test_plugin_types import config_map, of_type
from tests.support.cluster import Installation
from tests.support.kafka_server import KafkaServer
from tests.support.kafka_topics import reading, write
from tests.support.node_network import in_node_network
from tests.support.operator_bench import Bench, new_bench, wait
from tests.support.stand_in import egress, entry, sources, stand_in

pytestmark = pytest.mark.cluster

EXAMPLE = Path(__file__).parents[2] / "examples" / "workflow"
NAME = "document-analysis-and-extraction"
WORKERS = "slipway.dev/component=worker"
ASKED = 40
"""Questions of one run. Each takes two seconds, as the tests' installation paces answers."""


@pytest.fixture(scope="module")
def team(installation: Installation) -> Iterator[Bench]:
    """A namespace with the shipped example, and a workflow of many questions."""
    with new_bench(installation) as bench:
        shipped = [each for file in sorted(EXAMPLE.glob("*.yaml")) for each in yaml.safe_load_all(file.read_text())]
        for each in shipped:
            each["metadata"]["namespace"] = bench.namespace
        bench.apply(*shipped, many_questions(bench.namespace), every_minute(bench.namespace))
        for name in (NAME, "many"):
            bench.until_condition("workflows", name)
        yield bench


def many_questions(namespace: str) -> dict[str, Any]:
    ask = {"requires": ["task_analysis"], "ask": "How are invoices approved? ${item}"}
    return workflow(namespace, "many", [{"name": "each", "map": {"over": "input.numbers", "concurrency": 8, **ask}}])


def every_minute(namespace: str) -> dict[str, Any]:
    """A workflow by schedule. Its first run comes while other tests run."""
    made = workflow(namespace, "minutely", [{"name": "ask", "agentRef": {"name": "analyst"}, "ask": "${input.time}"}])
    trigger = {"name": "clock", "schedule": {"cron": "* * * * *"}, "input": {"time": "${time}"}}
    return {**made, "spec": {**made["spec"], "triggers": [trigger]}}


def workflow(namespace: str, name: str, steps: list[dict[str, Any]]) -> dict[str, Any]:
    """A Workflow of these steps."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "slipway.dev/v1alpha1", "kind": "Workflow", "metadata": metadata, "spec": {"steps": steps}}


async def until(asking: aiohttp.ClientSession, path: str, holds: Callable[[Any], bool], *, seconds: float = 120) -> Any:
    """The run, as soon as this holds of it."""
    deadline = time.monotonic() + seconds
    while True:
        async with asking.get(path) as response:
            run = await response.json()
            if response.status == 200 and holds(run):
                return run
        assert time.monotonic() < deadline, run
        await asyncio.sleep(0.2)


async def events_of(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """What a stream says, to its end."""
    async for line in response.content:
        if line.startswith(b"data: "):
            yield json.loads(line[6:])


async def test_the_shipped_example_runs_in_its_three_steps(asking: aiohttp.ClientSession, team: Bench) -> None:
    runs = f"/workflows/{team.namespace}/{NAME}/runs"
    async with asking.post(runs, json={"input": {"task": "Extract the totals of our invoices."}}) as response:
        assert response.status == 202, await response.text()
        begun = await response.json()
    run = await until(asking, f"{runs}/{begun['run_id']}", lambda run: run.get("ended") is not None)
    assert run["state"] == "done", run
    assert [each["step"] for each in run["steps"]] == ["analyze_task", "search_documents", "create_workflow"]


async def test_a_run_ends_once_though_its_worker_dies(asking: aiohttp.ClientSession, team: Bench) -> None:
    runs = f"/workflows/{team.namespace}/many/runs"
    async with asking.post(runs, json={"input": {"numbers": list(range(ASKED))}}) as response:
        assert response.status == 202, await response.text()
        path = f"{runs}/{(await response.json())['run_id']}"
    await until(asking, path, lambda run: any(each["state"] == "succeeded" for each in run["steps"]))
    pods = team.installation.ready_pods(team.namespace, component="worker")
    kill = ("delete", "pod", *pods, f"--namespace={team.namespace}", "--grace-period=0", "--force")
    await asyncio.to_thread(team.installation.kube.run, *kill)
    run = await until(asking, path, lambda run: run.get("ended") is not None)
    assert run["state"] == "done", run
    async with asking.get(f"{path}/events", headers={"Accept": "text/event-stream"}) as response:
        told = [event async for event in events_of(response)]
    assert [each["type"] for each in told if each["type"] in ("done", "failed", "cancelled")] == ["done"]
    ended = [(each["step"], each["index"]) for each in told if each["type"] == "step_ended" and "index" in each]
    assert sorted(ended) == sorted(("each", index) for index in range(ASKED))
    assert set(team.installation.ready_pods(team.namespace, component="worker")).isdisjoint(pods)


NOTES = '''
"""Keeps notes in a table of the namespace's store."""
from pathlib import Path

from fastapi import APIRouter

from slipway_crds.contract import STORE_DIR, STORE_KEY
from slipway_runtime.plugin_api import hookimpl, tool
from slipway_runtime.store.opening import open_database

router = APIRouter()


async def notes(text=None):
    database = await open_database(Path(STORE_DIR, STORE_KEY).read_text().strip())
    try:
        await database.execute("CREATE TABLE IF NOT EXISTS plugin_notes (text TEXT NOT NULL)")
        if text is not None:
            await database.execute("INSERT INTO plugin_notes (text) VALUES ($1)", text)
        return [row["text"] for row in await database.fetch("SELECT text FROM plugin_notes")]
    finally:
        await database.close()


@tool
async def remember(text: str) -> str:
    """Keep a note."""
    return f"There are {len(await notes(text))} notes."


@router.get("/notes")
async def listed() -> list[str]:
    return await notes()


@hookimpl
def slipway_tools(config):
    return [remember]


@hookimpl
def slipway_router(config):
    return router
'''


EVENTS = ("queued", "started", "step_started", "step_ended", "done")


@pytest.fixture(scope="module")
def kafka(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A broker that the pods of the cluster reach."""
    server = KafkaServer(tmp_path_factory.mktemp("kafka"), host=NODE_ADDRESS)
    in_node_network(installation.target.name, server.start)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def ordering(team: Bench, kafka: KafkaServer) -> Bench:
    """The namespace with a workflow by messages, whose agent calls a plugin with a table and answers to a topic."""
    namespace, brokers = team.namespace, [kafka.brokers]
    call = ("--text=It is noted.", "--call=notes__remember", '--arguments={"text": "an order"}')
    clerk = {
        "architecture": "pydantic-ai",
        "models": [entry("own", "llm", namespace)],
        "tools": [{"name": "notes", "pluginRef": {"name": "notes"}}],
        "answersTo": {"kafka": {"brokers": brokers, "topic": "answers"}},
        "egress": egress(namespace),
    }
    orders = workflow(namespace, "orders", [{"name": "note", "agentRef": {"name": "clerk"}, "ask": "${input.order}"}])
    orders["spec"] |= {
        "triggers": [{"name": "orders", "kafka": {"brokers": brokers, "topic": "orders"}}],
        "publish": {"kafka": {"brokers": brokers, "topic": "events"}},
    }
    team.apply(
        sources(namespace),
        *stand_in(team.installation, namespace, "llm", *call),
        config_map(namespace, "notes", code=NOTES),
        of_type(namespace, "notes", "python", {"module": {"name": "notes", "key": "code"}, "store": True}),
        {
            "apiVersion": "slipway.dev/v1alpha1",
            "kind": "Agent",
            "metadata": {"name": "clerk", "namespace": namespace},
            "spec": clerk,
        },
        orders,
    )
    for kind, name in (("plugins", "notes"), ("agents", "clerk"), ("workflows", "orders")):
        team.until_condition(kind, name)
    return team


async def test_a_message_begins_a_run_whose_agent_calls_a_plugin_and_answers_to_a_topic(
    asking: aiohttp.ClientSession, ordering: Bench, kafka: KafkaServer
) -> None:
    async def exchanged() -> tuple[dict[str, Any], list[dict[str, Any]]]:
        await write(kafka.brokers, "orders", {"order": "Note an order."})
        async with reading(kafka.brokers, "answers") as answers, reading(kafka.brokers, "events") as events:
            (answer,) = await answers(1)
            return json.loads(answer.value), [json.loads(each.value) for each in await events(len(EVENTS))]

    network = ordering.installation.target.name
    answer, told = await asyncio.to_thread(in_node_network, network, lambda: asyncio.run(exchanged()))
    assert (answer["agent"], answer["question"]) == (f"{ordering.namespace}/clerk", "Note an order.")
    (run,) = await runs_of(asking, ordering, "orders", "done")
    assert run["started_by"] == "kafka"
    assert [(each["run_id"], each["type"]) for each in told] == [(run["run_id"], event) for event in EVENTS]
    async with asking.get(f"/plugins/{ordering.namespace}/notes/notes") as response:
        assert await response.json() == ["an order"]


async def test_a_schedule_begins_a_run(asking: aiohttp.ClientSession, team: Bench) -> None:
    runs = await runs_of(asking, team, "minutely", "done")
    assert {each["started_by"] for each in runs} == {"schedule"}


async def runs_of(asking: aiohttp.ClientSession, team: Bench, name: str, state: str) -> list[dict[str, Any]]:
    """The runs of a workflow that are in a state, once there is one."""
    path = f"/workflows/{team.namespace}/{name}/runs?state={state}"
    listed = await until(asking, path, lambda found: bool(found["runs"]))
    return list(listed["runs"])


def test_the_status_says_how_runs_did(team: Bench) -> None:
    status = team.get("workflows", NAME)["status"]
    assert status["phase"] == "Ready"
    assert status["url"].endswith(f"/workflows/{team.namespace}/{NAME}")


def test_workers_go_with_the_last_workflow(team: Bench) -> None:
    """The last test of the module: it leaves no workflow."""
    kinds = ("deployments", "services", "configmaps", "secrets", "networkpolicies", "poddisruptionbudgets")
    others = ("many", "minutely", "orders")
    team.installation.kube.run("delete", "workflow", *others, f"--namespace={team.namespace}", "--ignore-not-found")
    assert all(team.items(kind, WORKERS) for kind in kinds), "another one has need of them"
    team.installation.kube.run("delete", "workflow", NAME, f"--namespace={team.namespace}")
    wait(
        lambda: not any(team.items(kind, WORKERS) for kind in kinds),
        lambda: f"there still are {[kind for kind in kinds if team.items(kind, WORKERS)]}",
    )
