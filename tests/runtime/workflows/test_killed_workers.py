"""Workers that are killed in the middle of runs: others go on, every run ends, and every result is recorded once."""

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from slipway_crds.workflows.model import Workflow
from slipway_runtime.store.database import Database
from slipway_runtime.store.opening import open_database
from slipway_runtime.workflows.records import LAST_EVENTS
from tests.support.postgres import RestartablePostgres
from tests.support.waiting import until, until_async
from tests.support.worker_process import StandInGateway, Workers, standing_in, workers_of

SPEC = """
steps:
  - {name: first, agentRef: {name: a}, tool: act, params: {n: "${input.n}"}}
  - {name: left, needs: [first], requires: [acting], tool: act}
  - {name: right, needs: [first], agentRef: {name: a}, tool: act}
  - {name: each, needs: [left, right], map: {over: "[1, 2, 3]", concurrency: 2, agentRef: {name: a}, tool: act}}
  - {name: last, needs: [each], agentRef: {name: a}, tool: act}
output: {value: "{'n': steps.first.n, 'last': steps.last.key}"}
"""
NEVER = "steps: [{name: pay, agentRef: {name: a}, tool: pay, repeat: Never}]"
KEYS = ["first", "left", "right", "each/0", "each/1", "each/2", "last"]


def manifest(spec: str) -> Workflow:
    metadata = {"name": "test", "namespace": "demo"}
    return Workflow.model_validate({"metadata": metadata, "spec": yaml.safe_load(spec)})


@pytest.fixture
async def gateway(stack: AsyncExitStack) -> tuple[StandInGateway, str]:
    return await stack.enter_async_context(standing_in())


@pytest.fixture
async def workers(
    stack: AsyncExitStack, tmp_path: Path, store_dsn: str, gateway: tuple[StandInGateway, str]
) -> AsyncIterator[Workers]:
    with workers_of(tmp_path, store_dsn, gateway[1]) as workers:
        yield workers


async def started(workers: Workers, count: int) -> list[str]:
    """Ids of runs that were begun."""
    return [(await workers.ask("POST", "runs", {"input": {"n": n}}))["run_id"] for n in range(count)]


async def ended(database: Database, runs: list[str], *, deadline: float) -> None:
    async def none_left() -> bool:
        rows = await database.fetch("SELECT id FROM workflow_runs WHERE ended IS NULL")
        return not rows

    await until_async(none_left, f"{len(runs)} runs end", deadline=deadline, pause=0.2)


async def check(database: Database, gateway: StandInGateway, runs: list[str]) -> None:
    """Every run is done, with one result for each step, and one name for each call."""
    rows = await database.fetch("SELECT id, state, input, output, reason, message FROM workflow_runs")
    assert {row["id"]: row["state"] for row in rows} == dict.fromkeys(runs, "done"), rows
    events = await database.fetch("SELECT run_id, type, data FROM workflow_events ORDER BY run_id, seq")
    results = Counter((row["run_id"], row["data"]) for row in events if row["type"] == "step_ended")
    assert max(results.values()) == 1
    of_run = Counter(row["run_id"] for row in events if row["type"] == "step_ended")
    assert of_run == dict.fromkeys(runs, len(KEYS) + 1)  # and the map as a whole
    assert Counter(row["run_id"] for row in events if row["type"] in LAST_EVENTS) == dict.fromkeys(runs, 1)
    assert gateway.ended.keys() >= {f"{run}/{key}" for run in runs for key in KEYS}
    assert gateway.began.keys() == {f"{run}/{key}" for run in runs for key in KEYS}


async def test_runs_of_killed_workers_are_ended_by_others(
    workers: Workers, gateway: tuple[StandInGateway, str], stack: AsyncExitStack
) -> None:
    workers.define(manifest(SPEC))
    first, second = workers.start(), workers.start()
    await workers.ready(first)
    await workers.ready(second)
    database = await open_database(workers.dsn)
    stack.push_async_callback(database.close)
    runs = await started(workers, 10)
    await until(lambda: sum(gateway[0].ended.values()) > 15, "the runs are under way")
    workers.kill(first)
    third = workers.start()
    await until(lambda: sum(gateway[0].ended.values()) > 30, "the others go on")
    workers.kill(second)
    await workers.ready(third)
    await ended(database, runs, deadline=90)
    await check(database, gateway[0], runs)


async def test_a_step_that_must_not_be_repeated_waits_for_a_person(
    workers: Workers, gateway: tuple[StandInGateway, str]
) -> None:
    workers.define(manifest(NEVER))
    first = await workers.ready(workers.start())
    (run,) = await started(workers, 1)
    await until(lambda: gateway[0].began, "the step has begun")
    workers.kill(first)
    await workers.ready(workers.start())

    async def state() -> Any:
        return (await workers.ask("GET", f"runs/{run}"))["state"]

    async def stopped() -> bool:
        return bool(await state() == "needs_attention")

    await until_async(stopped, "the run needs attention", deadline=60)
    settled = {"outcome": "succeeded", "output": {"paid": True}}
    await workers.ask("POST", f"runs/{run}/steps/pay/settle", settled)

    async def done() -> bool:
        return bool(await state() == "done")

    await until_async(done, "the run ends")
    assert (await workers.ask("GET", f"runs/{run}"))["output"] == {"pay": {"paid": True}}
    assert gateway[0].began == {f"{run}/pay": 1}


RUNS = 100
KILLS, OUTAGES = 12, 3


@pytest.mark.deep
async def test_a_hundred_runs_end_whatever_is_restarted(
    gateway: tuple[StandInGateway, str], stack: AsyncExitStack, tmp_path: Path
) -> None:
    postgres = stack.enter_context(RestartablePostgres())
    workers = stack.enter_context(workers_of(tmp_path, postgres.dsn, gateway[1]))
    workers.define(manifest(SPEC))
    for worker in [workers.start() for _ in range(3)]:
        await workers.ready(worker)
    gateway[0].seconds = 1.0
    runs = await started(workers, RUNS)
    killed: list[float] = []
    for number in range(KILLS):
        await until_progress(gateway[0])
        if number % (KILLS // OUTAGES) == 1:
            await asyncio.to_thread(postgres.stop)
            await asyncio.sleep(random.uniform(0.5, 2))
            await asyncio.to_thread(postgres.start)
        gateway[0].away = number % 4 == 2
        workers.kill(random.choice(workers.alive))
        killed.append(time.time())
        workers.start()
        await asyncio.sleep(random.uniform(0.2, 2))
        gateway[0].away = False
    database = await open_database(postgres.dsn)
    stack.push_async_callback(database.close)
    await ended(database, runs, deadline=300)
    await check(database, gateway[0], runs)
    again = sum(many > 1 for many in gateway[0].began.values())
    after = [round(each, 1) for each in await taken_over(database, killed)]
    sys.stdout.write(f"\n{again} of {len(gateway[0].began)} calls were made again; taken over after {after} s\n")


async def until_progress(gateway: StandInGateway) -> None:
    before = sum(gateway.ended.values())
    most = RUNS * len(KEYS)
    await until(lambda: sum(gateway.ended.values()) > min(before + 10, most - 1), "steps end", deadline=60)


async def taken_over(database: Database, killed: list[float]) -> list[float]:
    """Seconds from each kill to when the last run of that worker was begun by another one, before the next kill."""
    rows = await database.fetch("SELECT at, data FROM workflow_events WHERE type = 'started' ORDER BY at")
    again = [cast(float, row["at"]) for row in rows if '"attempt":1}' not in cast(str, row["data"])]
    spans = zip(killed, [*killed[1:], float("inf")], strict=True)
    return [max((at - begin for at in again if begin < at < end), default=0.0) for begin, end in spans]


async def test_a_worker_that_is_told_to_end_finishes_its_steps_and_leaves_the_rest(
    workers: Workers, gateway: tuple[StandInGateway, str], stack: AsyncExitStack
) -> None:
    workers.define(manifest(SPEC))
    first = await workers.ready(workers.start())
    runs = await started(workers, 3)
    await until(lambda: gateway[0].ended, "the runs are under way")
    await workers.ready(workers.start())
    first.process.terminate()
    await asyncio.to_thread(first.process.wait, 60)
    assert first.process.returncode == 0
    database = await open_database(workers.dsn)
    stack.push_async_callback(database.close)
    await ended(database, runs, deadline=60)
    await check(database, gateway[0], runs)
    assert set(gateway[0].began.values()) == {1}
