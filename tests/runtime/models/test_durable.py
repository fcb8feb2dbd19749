"""Agents of pydantic-ai in steps: what is a step, what it is called, and what it emits."""

import operator
import random
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
from pydantic_ai import Agent, FunctionToolset, ModelRetry, RunContext
from pydantic_ai.exceptions import UserError
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, DeltaThinkingPart, DeltaToolCall, FunctionModel
from pydantic_ai.toolsets import DynamicToolset

from slipway_crds.runtimeconfig import ApprovalConfig
from slipway_runtime.events import Delta, Event, ModelUsage, ToolCall, ToolResult, Usage
from slipway_runtime.models.durable import METADATA, DurableSteps, approvals, current_unit, within
from slipway_runtime.models.watching import watcher
from slipway_runtime.run import Run, Waiting
from slipway_runtime.store.inputs import InputAnswer
from tests.support.attempts import Attempts

Reply = Callable[[list[ModelMessage], int], str | list[ToolCallPart]]


class Scripted:
    """A model that replies by a script, which gets the messages and the number of the request among them."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.asked = 0

    @property
    def model(self) -> FunctionModel:
        return FunctionModel(self.answer, stream_function=self.stream)

    def parts(self, messages: list[ModelMessage]) -> str | list[ToolCallPart]:
        self.asked += 1
        return self.reply(messages, sum(isinstance(message, ModelResponse) for message in messages) + 1)

    async def answer(self, messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        said = self.parts(messages)
        return ModelResponse(parts=[TextPart(said)] if isinstance(said, str) else said)

    async def stream(self, messages: list[ModelMessage], _: AgentInfo) -> AsyncIterator[Any]:
        said = self.parts(messages)
        if isinstance(said, str):
            yield {0: DeltaThinkingPart(content="Hm.")}
            for word in said.split():
                yield f"{word} "
            return
        for number, call in enumerate(said):
            name, args = call.tool_name, call.args_as_json_str()
            yield {number: DeltaToolCall(name=name, json_args=args, tool_call_id=call.tool_call_id)}


def says(*_: object) -> str:
    return f"word {random.random()}"


def echo(n: int) -> int:
    return n


def look() -> str:
    return "x"


def calls(*names: str) -> Reply:
    """Call these tools, one request each, and then say something. All calls have the same id."""

    def reply(messages: list[ModelMessage], number: int) -> str | list[ToolCallPart]:
        return [ToolCallPart(names[number - 1], {"n": number}, "same")] if number <= len(names) else says()

    return reply


async def ask(agent: Agent[None, Any], run: Run) -> Any:
    with within(run):
        return (await agent.run(run.request.question)).output


def seen(events: list[Event]) -> list[tuple[str, str]]:
    return [(str(event.to_json().get("step")), event.type) for event in events]


async def test_a_request_streams_and_is_replayed_silently() -> None:
    model, attempts = Scripted(says), Attempts()
    agent = Agent(model.model, name="a", capabilities=[DurableSteps()])
    first = await ask(agent, attempts.start())
    assert [(event.channel, event.step) for event in attempts.journal.events if isinstance(event, Delta)] == [
        ("reasoning", "a/model/1"),
        *[("answer", "a/model/1")] * 2,
    ]
    used = attempts.journal.events[-1]
    assert isinstance(used, Usage)
    assert used.models
    assert used.models[0].requests == 1
    assert await ask(agent, attempts.start()) == first
    assert (model.asked, attempts.journal.entries) == (1, [])


async def test_an_agent_that_shows_nothing_is_replayed_too() -> None:
    model, attempts = Scripted(says), Attempts()
    agent = Agent(model.model, name="a", capabilities=[DurableSteps(show=None)])
    first = await ask(agent, attempts.start())
    assert seen(attempts.journal.events) == [("a/model/1", "usage")]
    assert await ask(agent, attempts.start()) == first
    assert model.asked == 1


async def test_without_a_run_the_capability_is_not_there() -> None:
    model = Scripted(calls("tool"))
    agent = Agent(model.model, name="a", capabilities=[DurableSteps()])
    agent.tool_plain(name="tool")(echo)
    assert (await agent.run("?")).output.startswith("word")
    assert model.asked == 2


async def test_an_agent_may_be_asked_twice_in_a_run() -> None:
    model, attempts = Scripted(says), Attempts()
    agent = Agent(model.model, name="a", capabilities=[DurableSteps()])

    async def twice(run: Run) -> list[str]:
        return [await ask(agent, run), await ask(agent, run)]

    first = await twice(attempts.start())
    assert {step for step, _ in seen(attempts.journal.events)} == {"a/model/1", "a/model/2"}
    assert await twice(attempts.start()) == first
    assert model.asked == 2


async def test_another_question_is_another_step() -> None:
    model, attempts = Scripted(says), Attempts()
    agent = Agent(model.model, name="a", capabilities=[DurableSteps()])
    with within(attempts.start()):
        await agent.run("One?")
    with within(attempts.start()):
        await agent.run("Two?")
    assert attempts.journal.events[0].to_json() == {
        "type": "discarded",
        "step": "a/model/1",
        "steps": ["a/model/1"],
        "reason": "InputChanged",
    }
    assert model.asked == 2


@pytest.mark.parametrize("shown", [True, False])
async def test_tools_are_steps_whose_calls_are_told_apart(shown: bool) -> None:
    model, attempts, ran = Scripted(calls("one", "two", "one")), Attempts(), list[str]()
    agent = Agent(model.model, name="a", capabilities=[DurableSteps(show_tools=shown)])

    @agent.tool_plain(metadata={METADATA: {"where": "agent"}})
    def one(n: int) -> str:
        ran.append(f"one {n}")
        return f"result {n}"

    @agent.tool_plain
    def two(n: int) -> str:
        ran.append("two")
        if n == 2:
            raise ModelRetry("again")
        raise AssertionError

    first = await ask(agent, attempts.start())
    events = attempts.journal.events
    asked = [event for event in events if isinstance(event, ToolCall)]
    assert [(event.step, event.name, event.where) for event in asked] == [
        ("a/tool/1/same", "one", "agent"),
        ("a/tool/2/same", "two", "server"),
        ("a/tool/3/same", "one", "agent"),
    ]
    assert [event.args for event in asked] == ([{"n": 1}, {"n": 2}, {"n": 3}] if shown else [None] * 3)
    results = [event.summary for event in events if isinstance(event, ToolResult)]
    assert results[0] == ("result 1" if shown else None)
    assert await ask(agent, attempts.start()) == first
    assert (ran, model.asked) == (["one 1", "two", "one 3"], 4)


async def test_text_before_a_tool_call_is_no_part_of_the_answer() -> None:
    async def stream(messages: list[ModelMessage], _: AgentInfo) -> AsyncIterator[Any]:
        yield "Let me look. "
        if len(messages) == 1:
            yield {1: DeltaToolCall(name="look", json_args="{}", tool_call_id="c")}

    agent = Agent(FunctionModel(stream_function=stream), name="a", capabilities=[DurableSteps()])
    agent.tool_plain(name="look")(look)
    attempts = Attempts()
    await ask(agent, attempts.start())
    assert seen(attempts.journal.events)[:3] == [
        ("a/model/1", "delta"),
        ("a/model/1", "usage"),
        ("a/model/1", "discarded"),
    ]


async def test_an_answer_that_is_refused_is_discarded_by_the_next_request() -> None:
    model, attempts = Scripted(lambda _, number: "bad" if number == 1 else "good"), Attempts()
    agent = Agent(model.model, name="a", capabilities=[DurableSteps()])

    @agent.output_validator
    def refuse(text: str) -> str:
        if "bad" in text:
            raise ModelRetry("No.")
        return text

    assert await ask(agent, attempts.start()) == "good "
    discarded = [event for event in attempts.journal.events if event.type == "discarded"]
    assert [event.to_json() for event in discarded] == [
        {"type": "discarded", "step": "a/model/2", "steps": ["a/model/1"], "reason": "Repaired"}
    ]


async def test_an_agent_within_a_tool_is_part_of_the_tools_step() -> None:
    inner, outer, attempts = Scripted(says), Scripted(calls("delegate")), Attempts()
    child = Agent(inner.model, name="child", capabilities=[DurableSteps()])
    agent = Agent(outer.model, name="a", capabilities=[DurableSteps()])

    @agent.tool_plain
    async def delegate(n: int) -> str:
        unit = current_unit()
        assert unit
        assert unit.key == "a/tool/1/same"
        watcher().used(ModelUsage(model="x:y", requests=n, input_tokens=1, output_tokens=1))
        return str((await child.run("?")).output)

    first = await ask(agent, attempts.start())
    assert ("a/tool/1/same", "usage") in seen(attempts.journal.events)
    assert not [step for step, _ in seen(attempts.journal.events) if "child" in step]
    assert await ask(agent, attempts.start()) == first
    assert inner.asked == 1


async def test_the_tools_of_a_dynamic_toolset_are_found_once() -> None:
    model, attempts, made = Scripted(calls("greet", "greet")), Attempts(), list[int]()

    def make(_: RunContext[None]) -> FunctionToolset[None]:
        made.append(1)
        toolset = FunctionToolset[None](id="inner")

        @toolset.tool_plain
        def greet(n: int) -> str:
            return f"hello {n}"

        return toolset

    toolset = DynamicToolset[None](make, id="dynamic")
    agent = Agent(model.model, name="a", toolsets=[toolset], capabilities=[DurableSteps()])
    first = await ask(agent, attempts.start())
    found, made[:] = len(made), []
    assert found
    assert await ask(agent, attempts.start()) == first
    assert (made, attempts.journal.entries) == ([], [])


async def test_toolsets_of_one_run_are_refused() -> None:
    agent = Agent(Scripted(says).model, name="a", capabilities=[DurableSteps()])
    with within(Attempts().start()), pytest.raises(UserError, match="Slipway"):
        await agent.run("?", toolsets=[FunctionToolset[None](id="late")])


@pytest.mark.parametrize(("approved", "ran"), [(True, [7]), (False, [])])
async def test_a_tool_waits_for_its_approval(approved: bool, ran: list[int]) -> None:
    model, attempts, done = Scripted(calls("act")), Attempts(), list[int]()
    ops = ApprovalConfig(tool="act", groups=("ops",))
    agent = Agent(model.model, name="a", capabilities=[DurableSteps(), approvals([ops])])

    @agent.tool_plain(requires_approval=True, metadata={METADATA: {"repeat": "never"}})
    def act(n: int) -> str:
        done.append(n + 6)
        return "done"

    with pytest.raises(Waiting) as waiting:
        await ask(agent, attempts.start())
    required = waiting.value.required
    assert (required.kind, required.answerers) == ("approval", ("group:ops",))
    assert required.calls == ({"id": "same", "name": "act", "args": {"n": 1}},)
    attempts.journal.put(required)
    given = {required.id: InputAnswer(approved=approved, answer=None, by="bob")}
    first = await ask(agent, attempts.start(answers=given))
    assert await ask(agent, attempts.start(answers=given)) == first
    assert (done, model.asked) == (ran, 2)


async def test_an_approval_does_not_count_once_others_are_to_decide() -> None:
    model, attempts, done = Scripted(calls("act")), Attempts(), list[int]()

    def of(group: str) -> Agent[None, str]:
        config = ApprovalConfig(tool="act", groups=(group,))
        agent = Agent(model.model, name="a", capabilities=[DurableSteps(), approvals([config])])

        @agent.tool_plain(requires_approval=True)
        def act(n: int) -> str:
            done.append(n)
            return "done"

        return agent

    with pytest.raises(Waiting) as waiting:
        await ask(of("ops"), attempts.start())
    attempts.journal.put(waiting.value.required)
    given = {waiting.value.required.id: InputAnswer(approved=True, answer=None, by="bob")}
    with pytest.raises(Waiting) as again:
        await ask(of("leads"), attempts.start(answers=given))
    assert again.value.required.answerers == ("group:leads",)
    assert done == []


class State(TypedDict, total=False):
    """Of a graph whose node runs several times at once."""

    n: int
    said: Annotated[list[str], operator.add]


async def test_nodes_of_a_graph_are_scopes() -> None:
    model, attempts = Scripted(says), Attempts()
    agent = Agent(model.model, name="a", capabilities=[DurableSteps()])

    async def node(state: State) -> State:
        return {"said": [f"{state['n']} {(await agent.run('?')).output}"]}

    graph = StateGraph(State)
    graph.add_node("many", node)
    graph.add_node("one", node)
    graph.add_conditional_edges(START, lambda _: [Send("many", {"n": n}) for n in range(3)], ["many"])
    graph.add_edge("many", "one")
    graph.add_edge("one", END)
    compiled = graph.compile()

    async def said() -> list[str]:
        with within(attempts.start()):
            result = await compiled.ainvoke({"n": 9, "said": []})
        return list(result["said"])

    first = await said()
    keys = {step for step, _ in seen(attempts.journal.events)}
    assert keys == {"1.many@0/a/model/1", "1.many@1/a/model/1", "1.many@2/a/model/1", "2.one/a/model/1"}
    assert await said() == first
    assert model.asked == 4


async def test_scopes_tell_agents_apart_that_run_at_once() -> None:
    import asyncio

    model, attempts = Scripted(says), Attempts()
    agent = Agent(model.model, name="a", capabilities=[DurableSteps()])

    async def one(run: Run, number: int) -> str:
        await asyncio.sleep(random.random() / 100)
        with within(run, f"part {number}"):
            return str((await agent.run(f"{number}?")).output)

    async def all_of(run: Run) -> list[str]:
        return await asyncio.gather(*(one(run, number) for number in range(3)))

    assert await all_of(attempts.start()) == await all_of(attempts.start())
    assert model.asked == 3
