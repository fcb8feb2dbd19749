"""Runs of workflows: order, data, failures, maps, and what waits."""

from slipway_runtime.workflows.records import RunState
from tests.support.workflows import Engine

CHAIN = """
steps:
  - {name: first, agentRef: {name: a}, params: {n: "${input.n + 1}"}}
  - {name: second, needs: [first], agentRef: {name: b}, tool: double, params: {of: "${steps.first.given.n}"}}
output: {value: steps.second.given.of * 2}
"""


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
