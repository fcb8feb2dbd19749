"""Agents of pydantic-ai whose model requests and tool calls are steps of a run.

    agent = Agent(models.for_role(None), name="answer", capabilities=[DurableSteps(), approvals()])

    async def run(self, run: Run) -> Done:
        with within(run):
            result = await agent.run(question)

A model request is one step, and so is each tool call, each discovery of a dynamic or MCP toolset's tools, and each
check of arguments. What pydantic-ai calls outside of them is run again by every attempt: instruction functions, output
functions and output validators. They must be pure, or call `run.step` themselves.

Outside of `within`, and inside of a step (an agent within a tool), such an agent runs as if the capability were not
there. What models it used is emitted by the step that it runs in.

Tools say how they are steps in their metadata, under `METADATA`: `{"slipway": {"repeat": "never"}}` for one that must
not run twice, and `{"where": "agent"}` for one that asks another agent.
"""

from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, TypeVar, cast

import orjson
from pydantic_ai import RunContext
from pydantic_ai.durable_exec import (
    JSON_CODEC,
    BaseDurabilityCapability,
    BoundDurableOperation,
    DurabilityEngineSpec,
    DurableOperation,
    DurableOperationBackend,
    DynamicToolsetCallToolParams,
    EventStreamHandlerParams,
    ModelRequestParams,
    ToolsetCallToolId,
    ToolsetCallToolParams,
    durable_unit_scope,
)
from pydantic_ai.messages import (
    AgentStreamEvent,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
)

from slipway_runtime.events import Discarded, ModelUsage, ToolCall, ToolResult, Where
from slipway_runtime.models.approvals import approvals
from slipway_runtime.models.scopes import (
    SCOPES,
    UNIT,
    Channel,
    MessageChain,
    Scope,
    TextSink,
    Unit,
    current_unit,
    within,
)
from slipway_runtime.models.watching import StepWatcher, watching
from slipway_runtime.run import Emit, Repeat
from slipway_runtime.telemetry import genai

__all__ = ["METADATA", "Channel", "DurableSteps", "TextSink", "Unit", "approvals", "current_unit", "within"]

P = TypeVar("P")
W = TypeVar("W")
R = TypeVar("R")
METADATA = "slipway"
"""Key of a tool's metadata under which it says how it is a step."""
SUMMARY_CHARACTERS = 500
Show = Callable[[Emit], TextSink]


class _UnitWatcher(StepWatcher):
    """Empties the sink of a step whose text is void."""

    def __init__(self, unit: Unit) -> None:
        super().__init__(unit.emit, unit.key)
        self._sink = unit.sink

    def discarded(self, reason: str) -> None:
        """See `Watcher`."""
        if self._sink is not None:
            self._sink.void()
        super().discarded(reason)


async def _stream(_: RunContext[Any], events: AsyncIterable[AgentStreamEvent]) -> None:
    """Give the text of a model's stream to the sink of the step."""
    unit = UNIT.get()
    if unit is None or unit.sink is None:
        return
    async for event in events:
        match event:
            case PartStartEvent(part=TextPart(content=text)) | PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
                channel: Channel = "answer"
            case PartStartEvent(part=ThinkingPart(content=text)):
                channel = "reasoning"
            case PartDeltaEvent(delta=ThinkingPartDelta(content_delta=piece)):
                text, channel = piece or "", "reasoning"
            case _:
                continue
        if text:
            await unit.sink.text(text, channel)


class DurableSteps(BaseDurabilityCapability[Any]):
    """See the module. To be given to an agent, which needs a name, when it is made.

    Args:
        show: makes where the text of a request goes; `TextSink` streams it as the answer. None for an agent whose text
            nobody is shown.
        show_tools: whether arguments and results of tools are in events (`spec.telemetry.showTools`).
        models: further models that requests may be made with, by a name.
    """

    engine_spec: ClassVar[DurabilityEngineSpec] = DurabilityEngineSpec(
        engine_name="Slipway",
        durable_unit_noun="step",
        durable_container_noun="run",
        codec=JSON_CODEC,
        toolset_lifecycles={"function": "enter-always", "mcp": "enter-in-durable-unit", "dynamic": "enter-never"},
        unsupported_runtime_toolset_kinds=frozenset(("function", "mcp", "dynamic")),
        tool_config_key=METADATA,
    )

    def __init__(
        self, *, show: Show | None = TextSink, show_tools: bool = False, models: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(models=models, event_stream_handler=_stream if show else None)
        self.show = show
        self.show_tools = show_tools

    @property
    def in_durable_context(self) -> bool:
        """Whether an agent is run by `within`, and not within a step."""
        return SCOPES.get() is not None and UNIT.get() is None

    def get_durable_operation_backend(self) -> DurableOperationBackend[Any]:
        """See `BaseDurabilityCapability`."""
        return _Backend(self)

    def get_default_run_id(self) -> str | None:
        """The same in every attempt: the first run of the agent in its scope, the second, ..."""
        if not self.in_durable_context:
            return None
        scope = _scope()
        scope.runs[self.name] += 1
        return f"{scope.run.id}/{scope.key(self.name, scope.runs[self.name])}"

    def get_default_conversation_id(self, run_id: str) -> str | None:
        """The session, where there is one."""
        return (_scope().run.session_id or run_id) if self.in_durable_context else None


def _scope() -> Scope:
    scopes = SCOPES.get()
    assert scopes is not None, "only asked for in a durable context"
    return scopes.current()


class _Backend(DurableOperationBackend[Mapping[str, Any]]):
    """Runs each operation of pydantic-ai as a step."""

    def __init__(self, capability: DurableSteps) -> None:
        self._capability = capability

    def bind(self, operation: DurableOperation[P, W, R]) -> BoundDurableOperation[P, W, R]:
        """See `DurableOperationBackend`."""
        return _Bound(self._capability, operation)

    def config_for_tool(
        self, operation: DurableOperation[P, W, R], *, tool: object | None, tool_name: str
    ) -> Mapping[str, Any] | Literal[False]:
        """What the tool's metadata says. The union of operations grows, so nothing depends on which one it is."""
        definition = getattr(tool, "tool_def", None)
        config = ((definition.metadata if definition is not None else None) or {}).get(METADATA) or {}
        return cast(Mapping[str, Any], config)

    def registrations(self) -> Sequence[Callable[..., object]]:
        """Nothing is registered: steps run in the run's own process."""
        return ()


class _Bound(BoundDurableOperation[P, W, R]):
    """An operation as a step. Its result is loaded from what was recorded, in the attempt that runs it as well."""

    def __init__(self, capability: DurableSteps, operation: DurableOperation[P, W, R]) -> None:
        self._capability = capability
        self._operation = operation

    @property
    def operation(self) -> DurableOperation[P, W, R]:
        return self._operation

    async def __call__(self, params: P, *, config: object | None = None) -> R:
        if isinstance(params, EventStreamHandlerParams):  # the events of tools come from their steps
            return cast(R, None)
        scope = _scope()
        if isinstance(params, ModelRequestParams):
            recorded = await self._request(scope, params)
        elif isinstance(self._operation.operation_id, ToolsetCallToolId):
            call = cast("ToolsetCallToolParams | DynamicToolsetCallToolParams", params)
            recorded = await self._call(scope, call, cast("Mapping[str, Any]", config or {}))
        else:
            recorded = await self._other(scope, params)
        return self._operation.result_codec.load(recorded)

    async def _body(self, params: Any, unit: Unit) -> object:
        """Run the operation within its step, with a watcher of the models that it asks."""
        watcher = _UnitWatcher(unit)
        token = UNIT.set(unit)
        try:
            with durable_unit_scope(), watching(watcher):
                result = await self._operation.handler(params)
            if isinstance(result, ModelResponse):
                if not watcher.usages:
                    watcher.used(_usage(result))
                if unit.sink is not None:
                    await unit.sink.end()
            return self._operation.result_codec.dump(result)
        finally:
            UNIT.reset(token)
            watcher.report()

    async def _request(self, scope: Scope, params: ModelRequestParams) -> object:
        name = self._capability.name
        scope.requests[name] += 1
        key = scope.key(name, "model", scope.requests[name])
        run_id = params.run_context.run_id or ""
        replaced = scope.spoke.pop(name, ("", ""))

        async def do(emit: Emit) -> object:
            if replaced[0] == run_id and replaced[1]:  # what it said was not accepted: this request repairs it
                emit(Discarded(steps=(replaced[1],), reason="Repaired"))
            sink = self._capability.show(emit) if self._capability.show else None
            dumped = await self._body(params, Unit(scope.run, key, emit, sink))
            if sink is not None and _has_text(dumped) and _calls_tools(dumped):
                emit(Discarded(steps=(key,), reason="ToolsCalled"))
            return dumped

        digest = scope.chains.setdefault(name, MessageChain()).extended(params.messages)
        recorded = await scope.run.step(key, do, repeat="paid", input=[params.model_id, digest])
        if self._capability.show and _has_text(recorded) and not _calls_tools(recorded):
            scope.spoke[name] = (run_id, key)
        return recorded

    async def _call(
        self, scope: Scope, params: ToolsetCallToolParams | DynamicToolsetCallToolParams, config: Mapping[str, Any]
    ) -> object:
        name, context = self._capability.name, params.ctx
        call_id = context.tool_call_id or ""
        key = scope.key(name, "tool", scope.requests[name], call_id, "approved" if context.tool_call_approved else "")
        repeat: Repeat = "never" if config.get("repeat") == "never" else "safe"
        where: Where = "agent" if config.get("where") == "agent" else "server"
        shown = self._capability.show_tools

        async def do(emit: Emit) -> object:
            args = {"args": params.tool_args} if shown else {}
            emit(ToolCall(id=call_id, name=params.name, where=where, **args))
            with genai.tool(params.name, call_id=call_id, agent=scope.run.agent):
                dumped = await self._body(params, Unit(scope.run, key, emit))
            summary = {"summary": _summary(dumped)} if shown else {}
            emit(ToolResult(id=call_id, name=params.name, where=where, **summary))
            return dumped

        return await scope.run.step(key, do, repeat=repeat)

    async def _other(self, scope: Scope, params: Any) -> object:
        """A discovery of tools, a check of arguments, or what a later version of pydantic-ai brings."""
        name, identity = self._capability.name, self._operation.operation_id
        what = getattr(identity, "toolset_id", "") or getattr(identity, "operation", "")
        context = getattr(params, "ctx", None) or getattr(params, "run_context", None)
        call_id = getattr(context, "tool_call_id", None) or ""
        kind = type(identity).__name__.removesuffix("Id")
        begin = scope.key(name, kind, what, scope.requests[name], call_id)
        scope.others[begin] += 1
        key = f"{begin}/{scope.others[begin]}"
        return await scope.run.step(key, lambda emit: self._body(params, Unit(scope.run, key, emit)))


def _usage(response: ModelResponse) -> ModelUsage:
    """What a model used that reports to no watcher."""
    name = f"{response.provider_name or 'unknown'}:{response.model_name or 'unknown'}"
    usage = response.usage
    return ModelUsage(model=name, requests=1, input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)


def _parts(dumped: object) -> list[Mapping[str, Any]]:
    return cast("list[Mapping[str, Any]]", cast("Mapping[str, Any]", dumped).get("parts", []))


def _has_text(dumped: object) -> bool:
    return any(part.get("part_kind") == "text" and part.get("content") for part in _parts(dumped))


def _calls_tools(dumped: object) -> bool:
    return any(part.get("part_kind") == "tool-call" for part in _parts(dumped))


def _summary(dumped: object) -> str:
    result = dumped.get("result", dumped) if isinstance(dumped, Mapping) else dumped
    text = result if isinstance(result, str) else orjson.dumps(result).decode()
    return text[:SUMMARY_CHARACTERS]
