"""What keeps runs going: places for each workflow, segments that got lost, and runs that are old."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from dbos import DBOS

from slipway_runtime.store.database import Database
from slipway_runtime.workflows import engine as engines
from slipway_runtime.workflows.records import NewWorkflowRun, RunState
from slipway_runtime.workflows.steps.calls import StepCall
from tests.support.waiting import until, until_async
from tests.support.workflows import WORKFLOW, Engine, serving_engine, workflow

ONE_STEP = "steps: [{name: only, agentRef: {name: a}, tool: TOOL}]"


@pytest.mark.parametrize("dsn", ["sqlite"], indirect=True)
async def test_a_workflow_with_many_runs_leaves_room_for_others(database: Database, dsn: str, tmp_path: Path) -> None:
    async def hang(_: StepCall) -> Any:
        await asyncio.Event().wait()

    async with serving_engine(database, f"sqlite:///{tmp_path}/engine.db", segments=3) as engine:
        engine.agents.tools["a.hang"] = hang
        engine.define(
            workflow(ONE_STEP.replace("TOOL", "hang")), workflow(ONE_STEP.replace("TOOL", "work"), name="other")
        )
        many = [await engine.engine.begin(NewWorkflowRun(WORKFLOW, "alice", {})) for _ in range(10)]
        await until(lambda: len(engine.engine.running) == 2, "as many of one workflow are done as may be")
        other = await engine.engine.begin(NewWorkflowRun("demo/other", "bob", {}))
        assert (await engine.ends(other)).state is RunState.DONE
        states = [(await engine.engine.store.read(run.id)).state for run in many]
        assert (states.count(RunState.RUNNING), states.count(RunState.QUEUED)) == (2, 8)


async def test_a_run_whose_segment_never_got_to_the_queue_is_queued_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "LOST_SECONDS", 0.0)
    engine.define(workflow(ONE_STEP.replace("TOOL", "work")))
    put = engine.engine.queue.put

    async def lost(*_: Any, **__: Any) -> None:
        monkeypatch.setattr(engine.engine.queue, "put", put)
        raise ConnectionError("the queue is not there")

    monkeypatch.setattr(engine.engine.queue, "put", lost)
    run = await engine.engine.begin(NewWorkflowRun(WORKFLOW, "alice", {}))
    assert (await engine.ends(run)).state is RunState.DONE


async def test_a_segment_that_nobody_works_on_is_queued_again(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim whose answer was lost: the engine believes that this process has it."""
    monkeypatch.setattr(engines, "FORGOTTEN_BEATS", 1)
    engine.define(workflow(ONE_STEP.replace("TOOL", "work")))
    take = engine.engine.store.take
    lost = asyncio.Event()

    async def never(*arguments: Any) -> Any:
        if not lost.is_set():
            lost.set()
            await asyncio.Event().wait()
        return await take(*arguments)

    monkeypatch.setattr(engine.engine.store, "take", never)
    run = await engine.engine.begin(NewWorkflowRun(WORKFLOW, "alice", {}))
    assert (await engine.ends(run)).state is RunState.DONE


@pytest.mark.parametrize("dsn", ["sqlite"], indirect=True)
async def test_a_run_that_the_engine_gave_up_goes_on(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "LOST_SECONDS", 0.0)
    engine.define(workflow(ONE_STEP.replace("TOOL", "work")))
    take, given_up = engine.engine.store.take, asyncio.Event()

    async def broken(*arguments: Any) -> Any:
        if not given_up.is_set():
            given_up.set()
            raise RuntimeError("a bug")
        return await take(*arguments)

    monkeypatch.setattr(engine.engine.store, "take", broken)
    run = await engine.ends(await engine.engine.begin(NewWorkflowRun(WORKFLOW, "alice", {})))
    assert (run.state, run.segment) == (RunState.DONE, 1)


@pytest.mark.parametrize("dsn", ["sqlite"], indirect=True)
async def test_a_run_in_which_workers_end_again_and_again_fails(engine: Engine) -> None:
    engine.define(workflow(ONE_STEP.replace("TOOL", "work")))
    run = await engine.engine.begin(NewWorkflowRun(WORKFLOW, "alice", {}))
    await engine.ends(run)
    await engine.engine.database.execute(
        "UPDATE workflow_runs SET ended = NULL, state = 'running', attempt = 11, segment = 0, changed = 0"
    )
    failed = await engine.ends(run)
    assert (failed.state, failed.reason) == (RunState.FAILED, "WorkersDied")


@pytest.mark.parametrize("dsn", ["sqlite"], indirect=True)
async def test_a_run_is_removed_long_after_its_end(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "FORGOTTEN_BEATS", 1)
    run = await engine.run(ONE_STEP.replace("TOOL", "work"))
    kept = await asyncio.to_thread(DBOS.list_workflows)
    assert [each.workflow_id for each in kept] == [f"{run.id}/0"]
    await engine.engine.database.execute("UPDATE workflow_runs SET ended = 1")

    async def gone() -> bool:
        return not await engine.engine.database.fetch("SELECT id FROM workflow_runs")

    await until_async(gone, "the run is removed")
    assert await engine.engine.store.steps(run.id) == {}

    async def forgotten() -> bool:
        return not await asyncio.to_thread(DBOS.list_workflows)

    await until_async(forgotten, "the engine has nothing of it")
