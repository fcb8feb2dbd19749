"""What a map calls besides an agent by its name, and how long a step pauses between its tries."""

import pytest

from slipway_runtime.workflows.records import WHOLE, RunState
from slipway_runtime.workflows.steps.calls import CapableAgent
from tests.support.waiting import until_async
from tests.support.workflows import Engine, failing, giving

pytestmark = pytest.mark.parametrize("dsn", ["sqlite"], indirect=True)


@pytest.mark.proves("Workflow.steps[].map.requires", "Workflow.steps[].map.ask", "Workflow.steps[].ask")
async def test_each_element_is_a_question_to_the_agent_that_can(engine: Engine) -> None:
    engine.agents.agents_there = [
        CapableAgent("a", True, frozenset({"speak"}), ()),
        CapableAgent("b", True, frozenset({"speak", "sing"}), ()),
    ]
    run = await engine.run(
        """
        steps:
          - {name: each, map: {over: input.songs, requires: [speak, sing], ask: "Sing ${item}, number ${index}"}}
          - {name: thanks, needs: [each], agentRef: {name: a}, ask: "Thank ${size(steps.each)} singers"}
        """,
        songs=["La", "Lu"],
    )
    assert run.state is RunState.DONE, run
    called = [(call.agent, call.tool, call.arguments) for call in engine.agents.called]
    assert sorted(called[:2], key=str) == [
        ("b", "ask", {"question": "Sing La, number 0"}),
        ("b", "ask", {"question": "Sing Lu, number 1"}),
    ]
    assert called[2] == ("a", "ask", {"question": "Thank 2 singers"})


@pytest.mark.proves("Workflow.steps[].map.search.*")
async def test_each_element_is_searched_for(engine: Engine) -> None:
    engine.agents.agents_there = [CapableAgent("c", True, frozenset(), ("docs",))]
    engine.agents.tools["c.search_documents"] = giving({"passages": [{"text": "1"}, {"text": "2"}]})
    run = await engine.run(
        """
        steps:
          - name: each
            map: {over: input.words, search: {indexRef: {name: docs}, query: "about ${item}", topK: 1}}
        """,
        words=["x", "y"],
    )
    assert run.output == {"each": [[{"text": "1"}], [{"text": "1"}]]}
    assert sorted(str(call.arguments["query"]) for call in engine.agents.called) == ["about x", "about y"]


@pytest.mark.proves("Workflow.steps[].retry.delay", "Workflow.steps[].retry.maxDelay")
@pytest.mark.parametrize(("delay", "longest", "seconds"), [("30m", "1h", 1800), ("1h", "10m", 600)])
async def test_the_pause_between_tries(engine: Engine, delay: str, longest: str, seconds: int) -> None:
    engine.agents.tools["a.ask"] = failing("Broke", times=9)
    retry = f"{{attempts: 3, delay: {delay}, maxDelay: {longest}}}"
    run = await engine.begin(f"steps: [{{name: one, agentRef: {{name: a}}, retry: {retry}}}]")

    async def pauses() -> bool:
        row = (await engine.steps(run)).get(("one", WHOLE))
        return row is not None and row.not_before is not None

    await until_async(pauses, "the step pauses")
    (event,) = [each for each in await engine.engine.store.events(run.id) if each.type == "step_retrying"]
    assert round((event.data["until"] - event.at) / 60) == seconds / 60
    await engine.engine.store.cancel(run.id, workflow=run.workflow, by="test")
    await engine.ends(run)
