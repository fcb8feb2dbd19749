"""An agent of pydantic-ai that says something else each time, calls tools, and keeps a diary of what it did."""

import asyncio
import json
import random
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel

from slipway_runtime.agents.protocol import Run
from slipway_runtime.events import Done
from slipway_runtime.models.durable import METADATA, DurableSteps, current_unit, within

PAUSE_SECONDS = 0.01
"""Between two pieces of an answer, so that there is a middle to be killed in."""
CALLS = {1: ("left", "right"), 2: ("act",)}
"""The tools that each request calls. The next one answers."""
WORDS = 12


class Thinking:
    """See `Agent`. Each model request and each act of a tool is a line of the diary: run, and what was done."""

    honours: frozenset[str] = frozenset()

    def __init__(self, diary: Path) -> None:
        self._diary = diary
        self._agent = Agent(
            FunctionModel(stream_function=self._stream), name="answer", deps_type=str, capabilities=[DurableSteps()]
        )
        self._agent.tool_plain(name="left")(self._look)
        self._agent.tool_plain(name="right")(self._look)
        self._agent.tool_plain(name="act", metadata={METADATA: {"repeat": "never"}})(self._act)

    async def run(self, run: Run) -> Done:
        with within(run):
            result = await self._agent.run(run.request.question)
        return Done(answer=result.output, finish="stop", sources=())

    async def missing(self) -> list[str]:
        return []

    def _note(self, what: str) -> None:
        unit = current_unit()
        assert unit is not None
        with self._diary.open("a") as file:
            file.write(f"{json.dumps([unit.run.id, what])}\n")

    async def _stream(self, messages: list[ModelMessage], _: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
        number = sum(isinstance(message, ModelResponse) for message in messages) + 1
        self._note(f"model {number}")
        for _word in range(WORDS):
            await asyncio.sleep(PAUSE_SECONDS)
            yield f"{random.randint(0, 10**6)} "
        for place, name in enumerate(CALLS.get(number, ())):
            yield {place: DeltaToolCall(name=name, json_args="{}", tool_call_id=uuid.uuid4().hex)}

    async def _look(self) -> str:
        await asyncio.sleep(PAUSE_SECONDS)
        return f"{random.random()}"

    async def _act(self) -> str:
        self._note("act")
        await asyncio.sleep(5 * PAUSE_SECONDS)
        return f"{random.random()}"


def read_diary(diary: Path) -> list[tuple[str, str]]:
    """The run and the deed of each line."""
    lines = diary.read_text().splitlines() if diary.exists() else []
    return [(run, deed) for run, deed in map(json.loads, lines)]
