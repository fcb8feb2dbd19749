"""Steps that wait keep no worker: for approvals, events, times and people who settle. Cancelling, and doing again."""

import asyncio
from typing import Any

import pytest

from slipway_runtime.workflows.engine import InvalidRetry
from slipway_runtime.workflows.records import WHOLE, NewWorkflowRun, RunState, StepStatus
from slipway_runtime.workflows.rows import NotOpen
from slipway_runtime.workflows.runs import Change
from slipway_runtime.workflows.steps.calls import StepCall
from slipway_runtime.workflows.steps.failures import TryFailed
from tests.support.waiting import until
from tests.support.workflows import WORKFLOW, Engine, failing

pytestmark = pytest.mark.parametrize("dsn", ["sqlite"], indirect=True)
APPROVED = Change(StepStatus.WAITING, StepStatus.SUCCEEDED, [("input_given", {"by": "bob"})], output={"by": "bob"})
APPROVAL = """
steps:
  - {name: ask, approval: {message: "Pay ${input.sum}?", groups: [finance], expires: 1h}}
  - {name: meanwhile, agentRef: {name: a}, tool: work}
  - {name: pay, needs: [ask], agentRef: {name: a}, tool: pay, params: {by: "${steps.ask.by}"}}
"""


async def settled(engine: Engine, run_id: str, step: str, change: Change) -> None:
    """What a worker does for somebody who answers."""
    await engine.engine.enqueue(
        await engine.engine.store.settle(run_id, (step, WHOLE), workflow=WORKFLOW, change=change)
    )


async def test_an_approval_ends_the_segment_and_the_decision_begins_the_next(engine: Engine) -> None:
    run = await engine.reaches(await engine.begin(APPROVAL, sum=7), RunState.WAITING)
    assert not engine.engine.running
    row = (await engine.steps(run))["ask", WHOLE]
    assert (row.details["asks"], row.details["groups"]) == ("Pay 7?", ["finance"])
    assert row.not_before is not None
    assert [call.tool for call in engine.agents.called] == ["work"]
    await settled(engine, run.id, "ask", APPROVED)
    ended = await engine.ends(run)
    assert (ended.state, ended.output["pay"]) == (RunState.DONE, {"given": {"by": "bob"}})
    assert [call.tool for call in engine.agents.called] == ["work", "pay"]


async def test_the_first_of_two_decisions_counts(engine: Engine) -> None:
    run = await engine.reaches(await engine.begin(APPROVAL, sum=7), RunState.WAITING)
    outcomes = await asyncio.gather(
        *(settled(engine, run.id, "ask", APPROVED) for _ in range(5)), return_exceptions=True
    )
    assert [type(each) for each in outcomes if each is not None] == [NotOpen] * 4
    assert (await engine.ends(run)).state is RunState.DONE


async def test_a_decision_that_comes_while_others_work_is_not_missed(engine: Engine) -> None:
    working, go_on = asyncio.Event(), asyncio.Event()

    async def work(_: StepCall) -> Any:
        working.set()
        await go_on.wait()
        return {}

    engine.agents.tools["a.work"] = work
    run = await engine.begin(APPROVAL, sum=7)
    await working.wait()
    await settled(engine, run.id, "ask", APPROVED)
    await until(lambda: "pay" in [call.tool for call in engine.agents.called], "the step behind the approval is done")
    go_on.set()
    assert (await engine.ends(run)).state is RunState.DONE


async def test_an_approval_of_a_cancelled_run_is_refused(engine: Engine) -> None:
    run = await engine.reaches(await engine.begin(APPROVAL, sum=7), RunState.WAITING)
    await engine.engine.store.cancel(run.id, workflow=WORKFLOW, by="alice")
    with pytest.raises(NotOpen, match="the run has ended: it is cancelled"):
        await settled(engine, run.id, "ask", APPROVED)


@pytest.mark.proves(
    "Workflow.steps[].approval.expires",
)
async def test_an_approval_that_nobody_decides_expires(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    run = await engine.reaches(await engine.begin(APPROVAL, sum=7), RunState.WAITING)
    await engine.engine.database.execute("UPDATE workflow_steps SET not_before = 1 WHERE name = 'ask'")
    await engine.engine.database.execute("UPDATE workflow_runs SET wake_at = 1")
    ended = await engine.ends(run)
    assert (ended.reason, ended.message) == ("ApprovalExpired", "nobody decided within 1h, which is a denial")


BEHIND = """
  - {name: ask, needs: [first], if: "true", approval: {message: "Go on?", expires: 1h}}
  - {name: sleep, needs: [first], wait: {duration: 1h}}
  - {name: paid, needs: [first], wait: {event: paid}, timeout: 1h}
  - {name: work, needs: [first], agentRef: {name: a}, tool: work}
"""


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        ("agentRef: {name: a}, tool: break, retry: {attempts: 1}", "Broke"),
        ("agentRef: {name: a}, tool: work, params: {x: '${input.none}'}", "ExpressionFailed"),
        ('if: "input.none", wait: {duration: 1s}', "ExpressionFailed"),
    ],
)
async def test_nothing_begins_behind_a_failed_step(engine: Engine, first: str, reason: str) -> None:
    engine.agents.tools["a.break"] = failing("Broke", times=1)
    run = await engine.run(f"steps:\n  - {{name: first, {first}}}{BEHIND}")
    assert (run.state, run.reason, run.failed_step) == (RunState.FAILED, reason, "first")
    assert list(await engine.steps(run)) == [("first", WHOLE)]
    assert "input_required" not in await engine.events(run)


DENIED = Change(StepStatus.WAITING, StepStatus.FAILED, [("input_given", {"by": "bob"})], reason="ApprovalDenied")


@pytest.mark.parametrize("reason", ["ApprovalDenied", "ApprovalExpired"])
async def test_nothing_begins_behind_an_approval_that_nobody_gave(engine: Engine, reason: str) -> None:
    spec = f"steps:\n  - {{name: first, approval: {{message: Begin, expires: 1h}}}}{BEHIND}"
    run = await engine.reaches(await engine.begin(spec), RunState.WAITING)
    if reason == "ApprovalDenied":
        await settled(engine, run.id, "first", DENIED)
    else:
        await engine.engine.database.execute("UPDATE workflow_steps SET not_before = 1")
        await engine.engine.database.execute("UPDATE workflow_runs SET wake_at = 1")
    ended = await engine.ends(run)
    assert (ended.state, ended.reason) == (RunState.FAILED, reason)
    assert list(await engine.steps(run)) == [("first", WHOLE)]
    assert (await engine.events(run)).count("input_required") == 1


@pytest.mark.parametrize("how", ["fails", "is cancelled"])
async def test_no_step_of_an_ended_run_waits_and_a_retry_waits_again(engine: Engine, how: str) -> None:
    go_on = asyncio.Event()

    async def work(_: StepCall) -> Any:
        await go_on.wait()
        raise TryFailed("Broke", "as the test says", final=how == "fails")

    engine.agents.tools["a.work"] = work
    run = await engine.begin(APPROVAL, sum=7)
    await until(lambda: engine.agents.called, "the step beside the approval works")
    if how == "is cancelled":
        await engine.engine.store.cancel(run.id, workflow=WORKFLOW, by="alice")
    go_on.set()
    await engine.ends(run)
    row = (await engine.steps(run))["ask", WHOLE]
    assert (row.state, row.reason, row.not_before) == (StepStatus.FAILED, "RunEnded", None)
    ended = [each.data for each in await engine.engine.store.events(run.id) if each.type == "step_ended"]
    assert ("ask", "RunEnded") in [(each["step"], each["reason"]) for each in ended]
    engine.agents.tools.clear()
    again = await engine.engine.retry(run.id, "meanwhile", NewWorkflowRun(WORKFLOW, "bob", {}))
    again = await engine.reaches(again, RunState.WAITING)
    await settled(engine, again.id, "ask", APPROVED)
    assert (await engine.ends(again)).state is RunState.DONE


EVENTS = """
steps:
  - {name: sleep, wait: {duration: 1s}}
  - {name: paid, needs: [sleep], wait: {event: paid}, timeout: 1h}
  - {name: ship, needs: [paid], agentRef: {name: a}, params: {sum: "${steps.paid.sum}"}}
"""


@pytest.mark.proves(
    "Workflow.steps[].wait.event",
    "Workflow.steps[].wait.duration",
)
async def test_a_run_sleeps_and_waits_for_an_event(engine: Engine) -> None:
    run = await engine.begin(EVENTS)
    await engine.engine.store.signal(run.id, "paid", {"sum": 3}, workflow=WORKFLOW, by="bank")
    ended = await engine.ends(run)
    assert ended.output == {"sleep": None, "paid": {"sum": 3}, "ship": {"given": {"sum": 3}}}


async def test_an_event_wakes_a_run_that_waits_and_the_first_counts(engine: Engine) -> None:
    run = await engine.begin(EVENTS.replace("duration: 1s", "event: begin"))
    for name, payload in (("begin", 1), ("begin", 2), ("paid", {"sum": 4})):
        await engine.reaches(run, RunState.WAITING, RunState.DONE)
        store = engine.engine.store
        await engine.engine.enqueue(await store.signal(run.id, name, payload, workflow=WORKFLOW, by="x"))
    ended = await engine.ends(run)
    assert (ended.output["sleep"], ended.output["paid"]) == (1, {"sum": 4})


NEVER = "steps: [{name: pay, agentRef: {name: a}, tool: pay, repeat: Never, output: {schema: {type: object}}}]"


@pytest.mark.proves("Workflow.steps[].repeat")
@pytest.mark.parametrize(
    ("state", "outcome"),
    [(StepStatus.SUCCEEDED, RunState.DONE), (StepStatus.FAILED, RunState.FAILED), (StepStatus.RETRYING, RunState.DONE)],
)
async def test_a_step_of_which_nobody_knows_what_it_did_is_settled(
    engine: Engine, state: StepStatus, outcome: RunState
) -> None:
    engine.agents.tools["a.pay"] = failing("GatewayUnreachable", times=1, then={"paid": "again"}, known=False)
    run = await engine.reaches(await engine.begin(NEVER), RunState.NEEDS_ATTENTION)
    assert (await engine.events(run))[-1] == "needs_attention"
    change = Change(StepStatus.NEEDS_ATTENTION, state, [("settled", {"by": "bob"})], output={"paid": "told"})
    await settled(engine, run.id, "pay", change)
    ended = await engine.ends(run)
    assert ended.state is outcome
    if outcome is RunState.DONE:
        assert ended.output["pay"] == {"paid": "again" if state is StepStatus.RETRYING else "told"}


async def test_a_step_that_took_too_long_is_a_call_of_its_own_once_it_is_settled(engine: Engine) -> None:
    async def slow_at_first(call: StepCall) -> Any:
        if "~" not in call.key:
            await asyncio.Event().wait()
        return {}

    engine.agents.tools["a.pay"] = slow_at_first
    spec = NEVER.replace("repeat: Never", "repeat: Never, timeout: 1s")
    run = await engine.reaches(await engine.begin(spec), RunState.NEEDS_ATTENTION)
    change = Change(StepStatus.NEEDS_ATTENTION, StepStatus.RETRYING, [("settled", {"by": "bob"})])
    await settled(engine, run.id, "pay", change)
    assert (await engine.ends(run)).state is RunState.DONE
    assert engine.agents.keys("pay") == [f"{run.id}/pay", f"{run.id}/pay~1"]


async def test_a_run_that_is_cancelled_stops_what_it_does(engine: Engine) -> None:
    stopped = asyncio.Event()

    async def hang(_: StepCall) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    engine.agents.tools["a.hang"] = hang
    run = await engine.begin("steps: [{name: slow, agentRef: {name: a}, tool: hang}]")
    await until(lambda: engine.agents.called, "the step is done")
    await engine.engine.store.cancel(run.id, workflow=WORKFLOW, by="alice")
    await asyncio.wait_for(stopped.wait(), 30)
    ended = await engine.ends(run)
    assert (ended.state, ended.message) == (RunState.CANCELLED, "cancelled by alice")
    assert (await engine.events(run))[-1] == "cancelled"


CHAIN = """
steps:
  - {name: first, agentRef: {name: a}, tool: first}
  - {name: second, needs: [first], agentRef: {name: a}, tool: second, retry: {attempts: 1}}
  - {name: third, needs: [second], agentRef: {name: a}, tool: third}
"""


async def test_a_run_is_done_again_from_the_step_that_failed(engine: Engine) -> None:
    engine.agents.tools["a.second"] = failing("Broke", times=1, then={"ok": 2})
    failed = await engine.run(CHAIN, n=1)
    assert (failed.state, failed.failed_step) == (RunState.FAILED, "second")
    engine.define()  # the workflow is gone, and its runs still have their definition
    again = await engine.ends(await engine.engine.retry(failed.id, None, NewWorkflowRun(WORKFLOW, "bob", {})))
    assert (again.state, again.retry_of, again.caller, again.input) == (RunState.DONE, failed.id, "bob", {"n": 1})
    assert [call.tool for call in engine.agents.called] == ["first", "second", "second", "third"]
    with pytest.raises(InvalidRetry, match="the run has no step nowhere: it has first, second, third"):
        await engine.engine.retry(failed.id, "nowhere", NewWorkflowRun(WORKFLOW, "bob", {}))
    whole = await engine.engine.retry(again.id, "first", NewWorkflowRun(WORKFLOW, "bob", {}))
    await engine.ends(whole)
    assert [call.tool for call in engine.agents.called][4:] == ["first", "second", "third"]
