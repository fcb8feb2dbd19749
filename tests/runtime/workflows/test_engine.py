"""Runs of workflows: order, data, failures, maps, and what waits."""

import asyncio
from typing import Any

import pytest

from slipway_runtime.workflows.engine import InvalidInput
from slipway_runtime.workflows.records import WHOLE, RunState, StepStatus
from slipway_runtime.workflows.steps.calls import CapableAgent, StepCall
from slipway_runtime.workflows.steps.failures import TryFailed
from tests.support.workflows import Engine, failing, giving

ONE_STORE = pytest.mark.parametrize("dsn", ["sqlite"], indirect=True)
"""For what the stores have no part in."""

CHAIN = """
steps:
  - {name: first, agentRef: {name: a}, params: {n: "${input.n + 1}"}}
  - {name: second, needs: [first], agentRef: {name: b}, tool: double, params: {of: "${steps.first.given.n}"}}
output: {value: steps.second.given.of * 2}
"""


@pytest.mark.proves(
    "Workflow.steps[].name",
    "Workflow.steps[].needs",
    "Workflow.steps[].params",
    "Workflow.steps[].tool",
    "Workflow.output.value",
)
async def test_steps_are_done_in_the_order_of_their_needs(engine: Engine) -> None:
    run = await engine.run(CHAIN, n=1)
    assert (run.state, run.output) == (RunState.DONE, 4), run
    assert [call.tool for call in engine.agents.called] == ["ask", "double"]
    second = engine.agents.called[1]
    assert second.context == {"previous_results": {"first": {"given": {"n": 2}}}, "step_requirements": []}
    assert [call.key for call in engine.agents.called] == [f"{run.id}/first", f"{run.id}/second"]
    assert await engine.events(run) == [
        "queued", "started", "step_started", "step_ended", "step_started", "step_ended", "done",
    ]  # fmt: skip


PARALLEL = """
steps:
  - {name: one, agentRef: {name: a}, tool: together}
  - {name: two, agentRef: {name: a}, tool: together}
  - {name: three, agentRef: {name: a}, tool: together}
limits: {stepsAtOnce: 2}
"""


@pytest.mark.proves(
    "Workflow.limits.stepsAtOnce",
)
@ONE_STORE
async def test_steps_that_need_nothing_are_done_at_once_up_to_a_bound(engine: Engine) -> None:
    both = asyncio.Barrier(2)

    async def together(_: StepCall) -> Any:
        if engine.agents.most["a"] < 2 or len(engine.agents.called) < 3:
            await both.wait()
        return {}

    engine.agents.tools["a.together"] = together
    run = await engine.run(PARALLEL)
    assert run.state is RunState.DONE
    assert engine.agents.most["a"] == 2


REQUIRES = """
steps:
  - {name: choose, requires: [speak, sing], tool: perform, params: {song: "La ${input.n}"}}
"""


@ONE_STORE
async def test_a_step_goes_to_the_first_agent_with_all_capabilities(engine: Engine) -> None:
    engine.agents.agents_there = [
        CapableAgent("bird", True, frozenset({"sing"}), ()),
        CapableAgent("choir", True, frozenset({"sing", "speak"}), ()),
        CapableAgent("tenor", True, frozenset({"sing", "speak", "act"}), ()),
    ]
    run = await engine.run(REQUIRES, n=3)
    call = engine.agents.called[0]
    assert (call.agent, call.arguments) == ("choir", {"song": "La 3"})
    assert call.context["step_requirements"] == ["speak", "sing"]
    chosen = (await engine.steps(run))["choose", WHOLE]
    assert (chosen.agent, chosen.details["candidates"]) == ("choir", ["choir", "tenor"])


@ONE_STORE
async def test_a_step_that_no_agent_can_do_is_refused_by_name(engine: Engine) -> None:
    engine.agents.agents_there = [CapableAgent("bird", True, frozenset({"sing"}), ())]
    run = await engine.run(REQUIRES, n=1)
    assert (run.state, run.reason, run.failed_step) == (RunState.FAILED, "NoCapableAgent", "choose")
    assert run.message == "no agent of the namespace has the capabilities sing, speak; bird lacks speak"
    assert not engine.agents.called


INPUT = """
input: {schema: {type: object, required: [n], properties: {n: {type: integer}}}}
steps: [{name: only, agentRef: {name: a}}]
output: {value: "{'n': input.n}", schema: {type: object, properties: {n: {maximum: 5}}}}
"""


@pytest.mark.proves(
    "Workflow.output.schema",
)
@ONE_STORE
async def test_input_and_output_fit_their_schemas(engine: Engine) -> None:
    with pytest.raises(InvalidInput, match="the input does not fit its schema: n: 'x' is not of type 'integer'"):
        await engine.begin(INPUT, n="x")
    assert (await engine.run(INPUT, n=5)).output == {"n": 5}
    run = await engine.run(INPUT, n=6)
    assert (run.state, run.reason) == (RunState.FAILED, "OutputDoesNotFit")


RETRY = """
steps:
  - name: shaky
    agentRef: {name: a}
    tool: shake
    retry: {attempts: 3, delay: 0s}
    output: {schema: {type: object, required: [ok]}}
"""


@ONE_STORE
async def test_a_step_is_tried_again_and_names_its_calls(engine: Engine) -> None:
    engine.agents.tools["a.shake"] = failing("ToolFailed", times=2, then={"ok": 1})
    run = await engine.run(RETRY)
    assert (run.state, run.output) == (RunState.DONE, {"shaky": {"ok": 1}})
    key = f"{run.id}/shaky"
    assert engine.agents.keys("shake") == [key, f"{key}~1", f"{key}~2"]
    assert (await engine.events(run)).count("step_retrying") == 2


@ONE_STORE
async def test_a_call_of_which_nobody_knows_what_came_keeps_its_name(engine: Engine) -> None:
    engine.agents.tools["a.shake"] = failing("GatewayUnreachable", times=1, then={"ok": 1}, known=False)
    run = await engine.run(RETRY)
    assert engine.agents.keys("shake") == [f"{run.id}/shaky"] * 2


@ONE_STORE
@pytest.mark.parametrize("what", ["step", "element"])
async def test_a_try_after_one_that_took_too_long_is_a_call_of_its_own(engine: Engine, what: str) -> None:
    async def slow_at_first(call: StepCall) -> Any:
        if "~" in call.key:
            return {"ok": 1}
        if engine.agents.keys("ask").count(call.key) > 1:  # the run of this key is found again
            raise TryFailed("ToolFailed", "ByCaller: The caller cancelled the run.")
        await asyncio.Event().wait()

    engine.agents.tools["a.ask"] = slow_at_first
    asks = "agentRef: {name: a}, ask: hello"
    does = asks if what == "step" else f"map: {{over: '[1]', {asks}}}"
    run = await engine.run(f"steps: [{{name: s, {does}, timeout: 1s, retry: {{attempts: 2, delay: 0s}}}}]")
    key = f"{run.id}/s" if what == "step" else f"{run.id}/s/0"
    assert run.state is RunState.DONE, run.message
    assert engine.agents.keys("ask") == [key, f"{key}~1"]


@pytest.mark.proves(
    "Workflow.steps[].output.schema",
    "Workflow.steps[].retry.attempts",
)
@ONE_STORE
async def test_an_output_that_never_fits_fails_after_the_last_try(engine: Engine) -> None:
    engine.agents.tools["a.shake"] = giving({"wrong": 1})
    run = await engine.run(RETRY)
    assert (run.state, run.reason, run.failed_step) == (RunState.FAILED, "OutputDoesNotFit", "shaky")
    assert len(engine.agents.called) == 3
    assert (await engine.steps(run))["shaky", WHOLE].attempts == 3


@ONE_STORE
async def test_what_cannot_succeed_is_tried_once(engine: Engine) -> None:
    engine.agents.tools["a.shake"] = giving({"ok": "x" * (10 * 1024 * 1024)})
    run = await engine.run(RETRY)
    assert (run.reason, len(engine.agents.called)) == ("OutputTooLarge", 1)
    broken = await engine.run("steps: [{name: bad, agentRef: {name: a}, params: {x: '${input.nothing}'}}]")
    assert (broken.reason, broken.message) == ("ExpressionFailed", "input.nothing: there is no nothing")


@pytest.mark.proves(
    "Workflow.steps[].timeout",
)
@ONE_STORE
async def test_a_try_that_takes_too_long_fails(engine: Engine) -> None:
    async def hang(_: StepCall) -> Any:
        await asyncio.Event().wait()

    engine.agents.tools["a.hang"] = hang
    run = await engine.run("steps: [{name: slow, agentRef: {name: a}, tool: hang, timeout: 1s, retry: {attempts: 1}}]")
    assert (run.state, run.reason) == (RunState.FAILED, "StepTimeout")


CONTINUE = """
steps:
  - {name: breaks, agentRef: {name: a}, tool: break, onFailure: Continue, retry: {attempts: 1}}
  - {name: repairs, needs: [breaks], if: "has(failed.breaks)", agentRef: {name: a}, tool: repair,
     params: {why: "${failed.breaks.reason}"}}
  - {name: praises, needs: [breaks], if: "!has(failed.breaks)", agentRef: {name: a}, tool: praise}
  - {name: thanks, needs: [praises], agentRef: {name: a}, tool: thank}
  - {name: reports, needs: [praises, repairs], if: "true", agentRef: {name: a}, tool: report}
"""


@pytest.mark.proves(
    "Workflow.steps[].if",
    "Workflow.steps[].onFailure",
)
@ONE_STORE
async def test_a_run_goes_on_after_a_failure_and_branches(engine: Engine) -> None:
    engine.agents.tools["a.break"] = failing("Broke", times=1)
    run = await engine.run(CONTINUE)
    steps = {name: row.state for (name, _), row in (await engine.steps(run)).items()}
    assert steps == {
        "breaks": StepStatus.FAILED,
        "repairs": StepStatus.SUCCEEDED,
        "praises": StepStatus.SKIPPED,
        "thanks": StepStatus.SKIPPED,
        "reports": StepStatus.SUCCEEDED,
    }
    assert run.output == {"repairs": {"given": {"why": "Broke"}}, "reports": {"given": {}}}


MAP = """
steps:
  - name: each
    map: {over: input.items, concurrency: 2, agentRef: {name: a}, tool: square,
          params: {of: "${item}", at: "${index}"}}
    retry: {attempts: 2, delay: 0s}
  - {name: sum, needs: [each], agentRef: {name: a}, tool: sum, params: {of: "${steps.each.map(x, x.n)}"}}
"""


@pytest.mark.proves(
    "Workflow.steps[].map.over",
    "Workflow.steps[].map.concurrency",
    "Workflow.steps[].map.agentRef.name",
    "Workflow.steps[].map.tool",
    "Workflow.steps[].map.params",
)
@ONE_STORE
async def test_a_map_keeps_the_order_and_its_bound(engine: Engine) -> None:
    async def square(call: StepCall) -> Any:
        await asyncio.sleep(0.001 * (5 - call.arguments["at"]))
        return {"n": call.arguments["of"] ** 2}

    engine.agents.tools["a.square"] = square
    run = await engine.run(MAP, items=[1, 2, 3, 4, 5])
    assert [row["n"] for row in run.output["each"]] == [1, 4, 9, 16, 25]
    assert run.output["sum"] == {"given": {"of": [1, 4, 9, 16, 25]}}
    assert engine.agents.most["a"] == 2
    assert sorted(engine.agents.keys("square")) == [f"{run.id}/each/{place}" for place in range(5)]


@ONE_STORE
async def test_an_element_that_fails_fails_the_map(engine: Engine) -> None:
    engine.agents.tools["a.square"] = failing("Broke", times=9)
    run = await engine.run(MAP, items=[1])
    assert (run.state, run.reason) == (RunState.FAILED, "Broke")
    assert (run.failed_step, run.message) == ("each", "element 0: as the test says")
    empty = await engine.run(MAP, items=[])
    assert (empty.state, empty.output["each"]) == (RunState.DONE, [])
    wrong = await engine.run(MAP, items="abc")
    assert wrong.message == "map.over: input.items is no list"


@pytest.mark.proves(
    "Workflow.steps[].search.query",
    "Workflow.steps[].search.topK",
)
@ONE_STORE
async def test_an_index_is_searched_by_an_agent_that_has_it(engine: Engine) -> None:
    engine.agents.agents_there = [
        CapableAgent("b", True, frozenset(), ()),
        CapableAgent("c", True, frozenset(), ("docs",)),
    ]
    engine.agents.tools["c.search_documents"] = giving({"passages": [{"text": "1"}, {"text": "2"}, {"text": "3"}]})
    run = await engine.run(
        "steps: [{name: find, search: {indexRef: {name: docs}, query: 'about ${input.what}', topK: 2}}]", what="x"
    )
    assert run.output == {"find": [{"text": "1"}, {"text": "2"}]}
    assert engine.agents.called[0].arguments == {"query": "about x", "filters": {"index": "docs"}}


@pytest.mark.proves(
    "Workflow.limits.timeout",
)
@ONE_STORE
async def test_a_run_takes_no_longer_than_it_may(engine: Engine) -> None:
    async def hang(_: StepCall) -> Any:
        await asyncio.Event().wait()

    engine.agents.tools["a.hang"] = hang
    run = await engine.run("steps: [{name: slow, agentRef: {name: a}, tool: hang}]\nlimits: {timeout: 1s}")
    assert (run.state, run.reason) == (RunState.FAILED, "RunTimeout")


@pytest.mark.proves(
    "Workflow.steps[].ask",
    "Workflow.steps[].map.ask",
    "Workflow.steps[].map.requires",
    "Workflow.steps[].map.search.indexRef.name",
    "Workflow.steps[].map.search.query",
    "Workflow.steps[].map.search.topK",
)
@ONE_STORE
async def test_questions_and_searches_of_elements_are_filled_in(engine: Engine) -> None:
    engine.agents.agents_there = [CapableAgent("c", True, frozenset({"sum"}), ("docs",))]
    engine.agents.tools["c.search_documents"] = giving({"passages": [{"text": "1"}, {"text": "2"}]})
    run = await engine.run(
        """
steps:
  - {name: one, agentRef: {name: a}, ask: "Who is ${input.who}?"}
  - {name: each, needs: [one], map: {over: "['x', 'y']", requires: [sum], ask: "${index}: ${item}"}}
  - name: find
    needs: [each]
    map: {over: "['z']", search: {indexRef: {name: docs}, query: "about ${item}", topK: 1}}
""",
        who="Bob",
    )
    asked = sorted(call.arguments["question"] for call in engine.agents.called if call.tool == "ask")
    assert asked == ["0: x", "1: y", "Who is Bob?"]
    assert {call.agent for call in engine.agents.called} == {"a", "c"}
    assert run.output["find"] == [[{"text": "1"}]]
    assert engine.agents.called[-1].arguments == {"query": "about z", "filters": {"index": "docs"}}


@pytest.mark.proves("Workflow.steps[].retry.delay", "Workflow.steps[].retry.maxDelay")
@ONE_STORE
async def test_pauses_double_up_to_a_bound_and_long_ones_keep_no_worker(engine: Engine) -> None:
    engine.agents.tools["a.shake"] = failing("ToolFailed", times=2, then={})
    run = await engine.begin(
        "steps: [{name: s, agentRef: {name: a}, tool: shake, retry: {attempts: 3, delay: 40m, maxDelay: 1h}}]"
    )
    for _ in range(2):
        await engine.reaches(run, RunState.WAITING)
        assert not engine.engine.running
        await engine.engine.database.execute("UPDATE workflow_steps SET not_before = 1")
        await engine.engine.database.execute("UPDATE workflow_runs SET wake_at = 1")
        await engine.reaches(run, RunState.QUEUED, RunState.RUNNING, RunState.DONE)
    assert (await engine.ends(run)).state is RunState.DONE
    events = await engine.engine.store.events(run.id)
    pauses = [(each.data["until"] - each.at) / 60 for each in events if each.type == "step_retrying"]
    assert [round(pause) for pause in pauses] == [40, 60]
