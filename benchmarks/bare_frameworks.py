"""The frameworks that architectures are built on, called as their own documentation does: no host, store or traces.

Each does with the model what the architecture does. An orchestrator has no framework: it is compared with its member.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypedDict, cast

from langgraph.graph import END, START, StateGraph
from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import ModelRequest
from pydantic_ai.models import Model
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from benchmarks.asking import Ask
from slipway_runtime.agents.hybrid_nodes import Critique, Draft


class State(TypedDict, total=False):
    """What nodes hand on."""

    question: str
    answer: str


def _agent(model: Model) -> Ask:
    agent = Agent(model)

    async def ask(question: str) -> object:
        async with agent.run_stream(question) as result:
            return await result.get_output()

    return ask


def _graph(**nodes: Callable[[State], Any]) -> Ask:
    graph, before = StateGraph(State), START
    for name, node in nodes.items():
        graph.add_node(name, cast(Any, node))
        graph.add_edge(before, name)
        before = name
    graph.add_edge(before, END)
    compiled = graph.compile()
    return lambda question: compiled.ainvoke({"question": question})


def _langgraph(model: Model) -> Ask:
    async def answer(state: State) -> State:
        async with model_request_stream(model, [ModelRequest.user_text_prompt(state["question"])]) as stream:
            async for _ in stream:
                pass
        return {"answer": stream.get().text or ""}

    return _graph(answer=answer)


def _hybrid(model: Model) -> Ask:
    drafting, checking = Agent(model, output_type=Draft), Agent(model, output_type=Critique)

    async def draft(state: State) -> State:
        return {"answer": (await drafting.run(state["question"])).output.answer}

    async def check(state: State) -> State:
        await checking.run(f"{state['question']}\n<draft>{state['answer']}</draft>")
        return {}

    return _graph(draft=draft, check=check)


BARE: Mapping[str, Callable[[Model], Ask]] = {
    "pydantic-ai": _agent,
    "langgraph": _langgraph,
    "hybrid": _hybrid,
    "orchestrator": _agent,
}
"""By architecture."""


@asynccontextmanager
async def bare(architecture: str, base_url: str) -> AsyncIterator[Ask]:
    """Asks the framework in this process."""
    async with AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0) as client:
        yield BARE[architecture](OpenAIChatModel("m", provider=OpenAIProvider(openai_client=client)))
