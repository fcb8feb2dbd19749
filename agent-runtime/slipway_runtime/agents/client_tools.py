"""Tools that the client runs: the run waits for their results."""

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.capabilities import HandleDeferredToolCalls
from pydantic_ai.messages import ToolCallPart
from pydantic_ai.tools import DeferredToolRequests, DeferredToolResults, ToolDefinition, ToolDenied
from pydantic_ai.toolsets import ExternalToolset

from slipway_crds.outputschema import growth_problem
from slipway_runtime.agents import search_tool, web_search
from slipway_runtime.agents.output_schemas import OUTPUT_TOOL
from slipway_runtime.agents.tool_results import as_data
from slipway_runtime.events import ToolCall, ToolResult
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.ask import ClientTool
from slipway_runtime.protocols.client_calls import call_id
from slipway_runtime.run import Emit, Run
from slipway_runtime.store.inputs import InputAnswer

SUMMARY_CHARACTERS = 500
RESERVED = frozenset((search_tool.NAME, web_search.NAME, OUTPUT_TOOL))
"""Names of tools that agents have of their own, or may be given by a later revision."""
NO_RESULT = "The client gave no result for this call."


def check_tools(tools: Sequence[ClientTool], own: Iterable[str] = ()) -> None:
    """Raise Problem (InvalidRequest) for a tool that is called like one of the agent's own, or whose schema grows."""
    for tool in tools:
        if tool.name in RESERVED.union(own):
            raise Problem(
                Reason.INVALID_REQUEST,
                f"A tool of the client is called {tool.name}, which is a tool of the agent's own: rename it.",
            )
        if problem := growth_problem(tool.parameters):
            raise Problem(Reason.INVALID_REQUEST, f"The schema of the client's tool {tool.name} {problem}.")


def client_toolset(tools: Sequence[ClientTool]) -> ExternalToolset[Any]:
    """The tools as pydantic-ai shows them to models."""
    return ExternalToolset(
        [
            ToolDefinition(
                name=tool.name,
                description=tool.description,
                parameters_json_schema={"type": "object", "properties": {}, **tool.parameters},
            )
            for tool in tools
        ],
        id="client",
    )


class ClientCalls:
    """Calls of one attempt, numbered as they come: in the same order in every attempt, since replies are recorded."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._asked = 0
        self._calls = 0

    def capability(self) -> HandleDeferredToolCalls[Any]:
        """Lets the run wait where the model calls a tool of the client."""
        return HandleDeferredToolCalls(self._handle)

    async def _handle(self, _: RunContext[Any], requests: DeferredToolRequests) -> DeferredToolResults | None:
        if not requests.calls:
            return None
        ids = {call.tool_call_id: call_id(self._run.id, self._calls + n) for n, call in enumerate(requests.calls)}
        self._calls += len(ids)
        self._asked += 1
        calls = [
            {"id": ids[call.tool_call_id], "name": call.tool_name, "args": call.args_as_dict()}
            for call in requests.calls
        ]
        await self._run.step(f"client/{self._asked}/calls", lambda emit: _emit_calls(calls, emit))
        given = await self._run.ask(f"client-{self._asked}", "client_tools", calls=calls)
        results = _results(given)
        await self._run.step(f"client/{self._asked}/results", lambda emit: _emit_results(calls, results, emit))
        return requests.build_results(
            calls={call.tool_call_id: _result(call, results.get(ids[call.tool_call_id])) for call in requests.calls}
        )


async def _emit_calls(calls: Sequence[dict[str, Any]], emit: Emit) -> None:
    for call in calls:
        emit(ToolCall(id=call["id"], name=call["name"], where="client", args=call["args"]))


async def _emit_results(calls: Sequence[dict[str, Any]], results: dict[str, str], emit: Emit) -> None:
    for call in calls:
        summary = results.get(call["id"], NO_RESULT)[:SUMMARY_CHARACTERS]
        emit(ToolResult(id=call["id"], name=call["name"], where="client", summary=summary))


def _results(given: InputAnswer) -> dict[str, str]:
    if not given.approved or given.answer is None:
        return {}
    results = given.answer.get("results")
    return {str(key): str(value) for key, value in results.items()} if isinstance(results, dict) else {}


def _result(call: ToolCallPart, text: str | None) -> str | ToolDenied:
    return ToolDenied(NO_RESULT) if text is None else as_data(call.tool_name, text)
