"""Runs on real gateways, hosts, workers and Postgres, all of which are killed and restarted while runs go on."""

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import cast

import aiohttp
import pytest
import yaml

from slipway_crds.workflows.model import Workflow
from slipway_runtime.store.database import Database, Row, StoreUnavailable
from slipway_runtime.store.opening import open_database
from slipway_runtime.workflows.records import LAST_EVENTS
from tests.support.fake_kubernetes import FakeKubernetes
from tests.support.servers import free_port
from tests.support.waiting import until_async
from tests.support.worker_process import WorkerProcess
from tests.support.workflow_stack import WorkflowStack, headers, workflow_stack

ASK = 'ask: "${run.id}: say 2 words", retry: {attempts: 20, maxDelay: 3s}, timeout: 10m'
SPEC = f"""
steps:
  - {{name: first, agentRef: {{name: clerk}}, {ASK}}}
  - {{name: left, needs: [first], requires: [acting], {ASK}}}
  - {{name: right, needs: [first], agentRef: {{name: clerk}}, {ASK}}}
  - name: each
    needs: [left, right]
    map: {{over: "[1, 2, 3]", concurrency: 2, agentRef: {{name: clerk}}, ask: "${{run.id}}: say 2 words"}}
    retry: {{attempts: 20, maxDelay: 3s}}
    timeout: 10m
  - {{name: last, needs: [each], agentRef: {{name: clerk}}, {ASK}}}
output: {{value: steps.last.answer}}
"""
CALLS = 7
"""Of the agent in each run."""
RUNS, DISTURBANCES = 100, 16


@pytest.fixture
async def platform(tmp_path: Path, cluster: FakeKubernetes) -> AsyncIterator[WorkflowStack]:
    async with AsyncExitStack() as stack:
        port = free_port()
        client = await stack.enter_async_context(
            aiohttp.ClientSession(
                f"http://127.0.0.1:{port}",
                headers=headers(),
                connector=aiohttp.TCPConnector(force_close=True),
                timeout=aiohttp.ClientTimeout(total=120),
            )
        )
        processes = stack.enter_context(ExitStack())
        made = await workflow_stack(processes, tmp_path, cluster, client, port)
        spec = {"metadata": {"name": "test", "namespace": "demo"}, "spec": yaml.safe_load(SPEC)}
        await made.define(Workflow.model_validate(spec))
        for _ in range(2):
            await made.start_worker()
        yield made


async def rows(database: Database, sql: str, *args: str) -> list[Row]:
    """What the store has, as soon as it is available."""
    found: list[Row] = []

    async def read() -> bool:
        try:
            found[:] = await database.fetch(sql, *args)
        except StoreUnavailable:
            return False
        return True

    await until_async(read, "the store answers", deadline=120)
    return found


async def ended_steps(database: Database) -> int:
    (row,) = await rows(database, "SELECT count(*) AS many FROM workflow_events WHERE type = 'step_ended'")
    return cast(int, row["many"])


async def kill_worker(platform: WorkflowStack, database: Database) -> tuple[float, list[Row]]:
    """When it was, and the runs that the worker had then."""
    worker: WorkerProcess = random.choice(platform.workers.alive)
    name = worker.log.stem
    sql = "SELECT id, attempt FROM workflow_runs WHERE state = 'running' AND worker LIKE $1"
    had = await rows(database, sql, f"{name}.%")
    platform.workers.kill(worker)
    killed = time.time()
    await platform.start_worker()
    return killed, had


async def disturbed(platform: WorkflowStack, database: Database, number: int) -> list[tuple[float, list[Row]]]:
    """One disturbance of each kind in turn."""
    match number % 4:
        case 0:
            return [await kill_worker(platform, database)]
        case 1:
            await asyncio.to_thread(platform.restart_host)
        case 2:
            await platform.outage(random.uniform(0.5, 2))
        case 3:
            await asyncio.to_thread(platform.restart_gateway)
    return []


@pytest.mark.deep
async def test_a_hundred_runs_end_whatever_is_killed(platform: WorkflowStack, stack: AsyncExitStack) -> None:
    await survive(platform, stack, runs=RUNS, disturbances=DISTURBANCES)


async def survive(platform: WorkflowStack, stack: AsyncExitStack, *, runs: int, disturbances: int) -> None:
    """Begin runs, disturb them, and see that each ended as it should."""
    begun = [await platform.begin({}) for _ in range(runs)]
    database = await open_database(platform.postgres.dsn)
    stack.push_async_callback(database.close)
    kills: list[tuple[float, list[Row]]] = []
    for number in range(disturbances):
        before = await ended_steps(database)
        goal = min(before + runs // 4, runs * CALLS - 1)

        async def on(goal: int = goal) -> bool:
            return await ended_steps(database) >= goal

        await until_async(on, f"steps go on after {number} disturbances", deadline=120, pause=0.2)
        kills += await disturbed(platform, database, number)

    async def none_left() -> bool:
        return not await rows(database, "SELECT id FROM workflow_runs WHERE ended IS NULL")

    await until_async(none_left, "all runs end", deadline=300, pause=0.5)
    await check_results(database, begun)
    await check_taken_over(database, kills)


async def check_results(database: Database, begun: list[str]) -> None:
    """Every run is done, with one result of each step, and one answer of the agent to each call."""
    found = await database.fetch("SELECT id, state, reason, message, failed_step FROM workflow_runs")
    assert {row["id"]: row["state"] for row in found} == dict.fromkeys(begun, "done"), found
    events = await database.fetch("SELECT run_id, type, data FROM workflow_events")
    results = Counter((row["run_id"], row["data"]) for row in events if row["type"] == "step_ended")
    assert set(Counter(run for run, _ in results.elements()).values()) == {CALLS + 1}, "and the map as a whole"
    assert Counter(row["run_id"] for row in events if row["type"] in LAST_EVENTS) == dict.fromkeys(begun, 1)
    asked = await database.fetch("SELECT question, outcome FROM runs WHERE agent = 'demo/clerk'")
    answered = Counter(cast(str, row["question"]).partition(":")[0] for row in asked if row["outcome"] == "done")
    assert answered == dict.fromkeys(begun, CALLS), "a call that was made again joined the agent's run of the first"


async def check_taken_over(database: Database, kills: list[tuple[float, list[Row]]]) -> None:
    """What a killed worker had was begun anew by another one."""
    ended = {row["id"]: row for row in await database.fetch("SELECT id, attempt, ended FROM workflow_runs")}
    starts = await database.fetch("SELECT run_id, at FROM workflow_events WHERE type = 'started' ORDER BY at")
    waits = []
    for killed, had in kills:
        for run in had:
            now = ended[run["id"]]
            later = [cast(float, each["at"]) for each in starts if each["run_id"] == run["id"]]
            after = [at - killed for at in later if at > killed]
            assert after or cast(float, now["ended"]) <= killed + 1, "it ended although nobody took it over"
            waits += after[:1]
    assert waits, "workers were killed in the middle of runs"
    sys.stdout.write(f"\n{len(waits)} runs were taken over, the last one {max(waits):.1f} s after its worker's end\n")
