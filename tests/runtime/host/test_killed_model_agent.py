"""An agent of pydantic-ai on a model that answers differently each time; its host dies at every commit in turn.

It calls two tools at once, one that must not run twice, one that needs an approval, and its first answer is refused.
"""

import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY
from pydantic_ai import Agent, ModelRetry, RunContext
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel

from slipway_runtime.events import Done, Failed, InputRequired, Usage
from slipway_runtime.models.durable import METADATA, DurableSteps, approvals, within
from slipway_runtime.problems import Reason
from slipway_runtime.protocols.transcript import Transcript
from slipway_runtime.run import Run
from tests.support.killing import Process, kill, said
from tests.support.scripts import Script, StartHost

COMMITS = 40
"""More than the run has: the last ones kill nobody."""
REQUESTS = 5
LAST = "answer/model/5"
NEVER: dict[str, Any] = {METADATA: {"repeat": "never"}}
Plan = tuple[str, ...]
CALLS: dict[int, Plan] = {1: ("left", "right"), 2: ("act",), 3: ("approved",)}
"""The tools that each request calls; what is after them is text."""


def calls(*names: str) -> DeltaToolCalls:
    """Calls with ids that differ each time."""
    return {
        number: DeltaToolCall(
            name=name, json_args=f'{{"n": {random.randint(0, 10**6)}}}', tool_call_id=uuid.uuid4().hex
        )
        for number, name in enumerate(names)
    }


def model(process: Process, run: Callable[[], Run]) -> FunctionModel:
    """Says something before it calls tools, then gives an answer that is refused, then one that is not."""

    async def stream(messages: list[ModelMessage], _: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
        number = sum(isinstance(message, ModelResponse) for message in messages) + 1
        await process.alive()
        process.ran[f"answer/model/{number}"] += 1
        yield f"{'bad' if number == REQUESTS - 1 else 'good'} {random.random()} "
        await process.committed(run())
        if number in CALLS:
            yield calls(*CALLS[number])
            return
        yield f"{random.random()}"
        await process.committed(run())

    return FunctionModel(stream_function=stream)


def thinking(process: Process) -> Script:
    """The agent as a script."""
    current: list[Run] = []
    agent = Agent(model(process, lambda: current[-1]), name="answer", capabilities=[DurableSteps(), approvals()])

    def tool(name: str) -> Callable[[RunContext[None], int], Awaitable[str]]:
        async def call(context: RunContext[None], n: int) -> str:
            await process.alive()
            process.ran[f"{name}/{context.tool_call_id}"] += 1
            process.ran[name] += 1
            await process.committed(current[-1])
            return f"{n} {random.random()}"

        return call

    for name in ("left", "right"):
        agent.tool(name=name)(tool(name))
    agent.tool(name="act", metadata=NEVER)(tool("act"))
    agent.tool(name="approved", metadata=NEVER, requires_approval=True)(tool("approved"))

    @agent.output_validator
    def refuse(text: str) -> str:
        if text.startswith("bad"):
            raise ModelRetry("Say it better.")
        return text

    async def script(run: Run) -> Done:
        current.append(run)
        with within(run):
            result = await agent.run(run.request.question)
        return Done(answer=result.output, finish="stop", sources=())

    return script


def repeated() -> float:
    return REGISTRY.get_sample_value("slipway_model_calls_repeated_total", {"agent": "demo/support"}) or 0.0


async def killed_at(start_host: StartHost, dsn: str, monkeypatch: pytest.MonkeyPatch, *, at: int, after: bool) -> bool:
    """Kill the first host at a commit, and look at what came of it. Returns whether it was killed."""
    counted = repeated()
    killed = await kill(start_host, dsn, monkeypatch, thinking, at=at, after=after)
    requests = [key for key in killed.finished if "/model/" in key]
    assert {key: killed.ran[key] for key in requests} == dict.fromkeys(requests, 1)
    calls_done = {key.split("/")[-1] for key in killed.finished if "/tool/" in key and not key.endswith("approved")}
    ran = {key: times for key, times in killed.ran.items() if key.split("/")[-1] in calls_done}
    assert set(ran.values()) <= {1}, "a call whose result was stored is not made again"
    assert max(killed.ran[name] for name in ("act", "approved")) <= 1
    end = killed.events[-1].event
    if killed.unknown:
        assert isinstance(end, Failed)
        assert end.reason == Reason.UNKNOWN_OUTCOME
        return killed.died
    assert isinstance(end, Done)
    text = "".join(part["content"] for part in killed.after[LAST].value["parts"])
    assert end.answer == text
    assert said(killed.events) == {LAST: text}, "nothing else stands"
    assert len([each for each in killed.events if isinstance(each.event, InputRequired)]) == 1
    interrupted = [key for key, record in killed.before.items() if record.state == "started"]
    assert repeated() - counted == len(interrupted)
    check_usage(killed.events)
    return killed.died


def check_usage(events: list[Any]) -> None:
    """Each request that was answered counts once."""
    transcript = Transcript()
    for each in events:
        transcript.add(each.event)
    assert transcript.usage
    assert sum(used["requests"] for used in transcript.usage["models"]) == REQUESTS
    assert all(each.event.models for each in events if isinstance(each.event, Usage))


@pytest.mark.parametrize(("at", "after"), [(3, True), (6, False), (9, True), (12, False), (15, True), (18, False)])
async def test_a_host_dies_at_a_commit(
    start_host: StartHost, dsn: str, monkeypatch: pytest.MonkeyPatch, at: int, after: bool
) -> None:
    assert await killed_at(start_host, dsn, monkeypatch, at=at, after=after)


@pytest.mark.deep
@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
async def test_a_host_dies_at_every_commit(
    start_host: StartHost, dsn: str, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    killed = [await killed_at(start_host, dsn, monkeypatch, at=at, after=after) for at in range(1, COMMITS + 1)]
    assert killed[:18] == [True] * 18
    assert not killed[-1], "raise COMMITS: the run has more"
