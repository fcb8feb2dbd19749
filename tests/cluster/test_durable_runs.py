"""Workflows on a real cluster: the shipped example by HTTP, and a run whose worker dies in the middle of it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from tests.support.cluster import Installation
from tests.support.operator_bench import Bench, new_bench, wait

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
        bench.apply(*shipped, many_questions(bench.namespace))
        for name in (NAME, "many"):
            bench.until_condition("workflows", name)
        yield bench


def many_questions(namespace: str) -> dict[str, Any]:
    ask = {"requires": ["task_analysis"], "ask": "How are invoices approved? ${item}"}
    step = {"name": "each", "map": {"over": "input.numbers", "concurrency": 8, **ask}}
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "many", "namespace": namespace},
        "spec": {"steps": [step]},
    }


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


def test_the_status_says_how_runs_did(team: Bench) -> None:
    status = team.get("workflows", NAME)["status"]
    assert status["phase"] == "Ready"
    assert status["url"].endswith(f"/workflows/{team.namespace}/{NAME}")


def test_workers_go_with_the_last_workflow(team: Bench) -> None:
    """The last test of the module: it leaves no workflow."""
    kinds = ("deployments", "services", "configmaps", "secrets", "networkpolicies", "poddisruptionbudgets")
    team.installation.kube.run("delete", "workflow", "many", f"--namespace={team.namespace}")
    assert all(team.items(kind, WORKERS) for kind in kinds), "another one has need of them"
    team.installation.kube.run("delete", "workflow", NAME, f"--namespace={team.namespace}")
    wait(
        lambda: not any(team.items(kind, WORKERS) for kind in kinds),
        lambda: f"there still are {[kind for kind in kinds if team.items(kind, WORKERS)]}",
    )
