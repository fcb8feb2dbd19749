"""Runs of workflows with agents that answer at once, compared with the bare engine in the same process.

Both work on the same Postgres, in turns: runs of five steps one after the other. A bare step is a step of DBOS that
does nothing. After that many runs of one step are queued and drained, with the memory of the process before, at most
and after. On two cores of their own the full size takes about five minutes.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from dbos import DBOS

from benchmarks import machine
from benchmarks.figures import BenchmarkReport, Figure, percentile
from slipway_crds.workflows.model import Workflow
from slipway_runtime.store.opening import open_database
from slipway_runtime.workflows.dbos_queue import QueueSettings, SegmentQueue
from slipway_runtime.workflows.definition import WorkflowDefinition
from slipway_runtime.workflows.engine import WorkflowEngine
from slipway_runtime.workflows.records import NewWorkflowRun, WorkflowRun
from slipway_runtime.workflows.steps.calls import CapableAgent, StepCall
from tests.support.postgres import RestartablePostgres
from tests.support.waiting import until_async

NAME, STEPS, SEGMENTS = "demo/bench", 5, 32
SHORT = "demo/short"
"""The workflow whose runs are queued."""
BAR = 1.3
PAUSE_SECONDS = 0.05
MIB = 1024 * 1024
CALLS: dict[str, list[float]] = {}
"""By run: when its steps acted."""


@dataclass(frozen=True)
class WorkflowSize:
    """How much is measured."""

    rounds: int
    runs: int
    queued: int


FULL, REDUCED = WorkflowSize(rounds=5, runs=100, queued=10_000), WorkflowSize(rounds=1, runs=20, queued=50)


@dataclass
class Spent:
    """What one way took."""

    seconds: list[float] = field(default_factory=list)
    """Of each round."""
    gaps: list[float] = field(default_factory=list)
    """Between two steps of a run."""


class InstantAgents:
    """Agents that give an answer at once."""

    async def agents(self, run: WorkflowRun) -> Sequence[CapableAgent]:
        """None is needed: steps name their agent."""
        return ()

    async def call(self, run: WorkflowRun, call: StepCall) -> Any:
        """Note the time."""
        CALLS.setdefault(run.id, []).append(time.perf_counter())
        return {"ok": True}


@DBOS.step(name="bench_step")
async def _bare_step(run: str) -> Mapping[str, bool]:
    CALLS.setdefault(run, []).append(time.perf_counter())
    return {"ok": True}


@DBOS.workflow(name="bench_run")
async def _bare_run(run: str) -> None:
    for _ in range(STEPS):
        await _bare_step(run)


def definition(workflow: str, count: int) -> WorkflowDefinition:
    """Steps one after the other."""
    steps = [
        {"name": f"s{place}", "agentRef": {"name": "a"}, **({"needs": [f"s{place - 1}"]} if place else {})}
        for place in range(count)
    ]
    metadata = {"name": workflow.partition("/")[2], "namespace": "demo"}
    return WorkflowDefinition.of(Workflow.model_validate({"metadata": metadata, "spec": {"steps": steps}}))


@asynccontextmanager
async def engine_on(dsn: str) -> AsyncIterator[WorkflowEngine]:
    """An engine, and a queue for bare runs with as many places."""
    database = await open_database(dsn)
    settings = QueueSettings(
        url=dsn, executor="bench", schema="bench", segments=SEGMENTS, of_one_workflow=SEGMENTS, polling_seconds=0.1
    )
    workflows = {NAME: definition(NAME, STEPS), SHORT: definition(SHORT, 1)}
    engine = WorkflowEngine(database, SegmentQueue(settings), InstantAgents(), workflows, sole=True)
    async with engine.serving():
        await DBOS.register_queue_async("bare", worker_concurrency=SEGMENTS, polling_interval_sec=0.1)
        yield engine
    await database.close()


async def ours(engine: WorkflowEngine, count: int, *, workflow: str = NAME) -> None:
    """Runs of a workflow, from the first that is begun to the last that ends."""
    for _ in range(count):
        await engine.begin(NewWorkflowRun(workflow, "bench", {}))

    async def ended() -> bool:
        return not await engine.database.fetch("SELECT id FROM workflow_runs WHERE ended IS NULL LIMIT 1")

    await until_async(ended, "all runs end", deadline=3600, pause=PAUSE_SECONDS)


async def bare(count: int) -> None:
    """As many bare runs."""
    for _ in range(count):
        await DBOS.enqueue_workflow_async("bare", _bare_run, f"bare-{time.time_ns()}")

    async def ended() -> bool:
        return not await DBOS.list_workflows_async(
            status=["ENQUEUED", "PENDING"], name="bench_run", limit=1, load_input=False, load_output=False
        )

    await until_async(ended, "all bare runs end", deadline=3600, pause=PAUSE_SECONDS)


async def timed(spent: Spent, work: Any) -> None:
    """Add what some runs took."""
    CALLS.clear()
    began = time.perf_counter()
    await work
    spent.seconds.append(time.perf_counter() - began)
    for times in CALLS.values():
        spent.gaps += [after - before for before, after in pairwise(times)]


def resident() -> float:
    """MiB of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / MIB


async def drained(engine: WorkflowEngine, count: int) -> tuple[float, float, float]:
    """Memory before, at most and after so many short runs that were queued together."""
    before = most = resident()
    draining = asyncio.create_task(ours(engine, count, workflow=SHORT))
    while not draining.done():
        CALLS.clear()
        most = max(most, resident())
        await asyncio.wait({draining}, timeout=0.5)
    draining.result()
    return before, most, resident()


async def measure(*, reduced: bool, wait: float) -> BenchmarkReport:
    """Run the benchmark. `wait`: seconds that may be waited for a quiet machine."""
    size = REDUCED if reduced else FULL
    own, plain = Spent(), Spent()
    with RestartablePostgres() as postgres:
        load = await machine.quiet(wait)
        async with engine_on(postgres.dsn) as engine:
            await ours(engine, size.runs // 4)
            await bare(size.runs // 4)
            for _ in range(size.rounds):
                await timed(own, ours(engine, size.runs))
                await timed(plain, bare(size.runs))
            memory = await drained(engine, size.queued)
    return machine.report("workflow", figures(size, own, plain, memory), load_before=load, reduced=reduced)


def figures(size: WorkflowSize, own: Spent, plain: Spent, memory: tuple[float, float, float]) -> list[Figure]:
    """What was found."""
    steps = size.runs * STEPS
    ratio = statistics.median(mine / theirs for mine, theirs in zip(own.seconds, plain.seconds, strict=True))
    before, most, after = memory
    return [
        Figure("time of runs / bare engine", ratio, "", BAR, note="median of the rounds"),
        Figure("steps in a second", steps / statistics.median(own.seconds), ""),
        Figure("steps in a second, bare engine", steps / statistics.median(plain.seconds), ""),
        Figure("between two steps, p95", percentile(own.gaps, 95) * 1000, "ms"),
        Figure("between two steps, p95, bare engine", percentile(plain.gaps, 95) * 1000, "ms"),
        Figure(f"memory before {size.queued} queued runs", before, "MiB"),
        Figure("memory at most", most, "MiB"),
        Figure("memory after", after, "MiB"),
    ]
