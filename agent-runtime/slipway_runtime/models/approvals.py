"""Approvals of tool calls: the run waits until a person decides."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from pydantic_ai import RunContext
from pydantic_ai.capabilities import HandleDeferredToolCalls
from pydantic_ai.tools import DeferredToolRequests, DeferredToolResults, ToolApproved, ToolDenied

from slipway_crds.runtimeconfig import ApprovalConfig
from slipway_runtime.models.scopes import SCOPES


def approvals(configs: Sequence[ApprovalConfig] = ()) -> HandleDeferredToolCalls[Any]:
    """Lets the run wait where a tool asks for an approval. Calls of the client's own tools are left to others.

    Args:
        configs: who may approve a tool's calls, and until when; the caller within a day for tools that are not there.
    """
    by_tool = {each.tool: each for each in configs}

    async def handle(context: RunContext[Any], requests: DeferredToolRequests) -> DeferredToolResults | None:
        scopes = SCOPES.get()
        if scopes is None or not requests.approvals:
            return None
        results: dict[str, Any] = {}
        for call in requests.approvals:
            asked = {"id": call.tool_call_id, "name": call.tool_name, "args": call.args_as_dict()}
            config = _config(by_tool, call.tool_name)
            number = scopes.current().requests[_agent_name(context)]
            answerers = [f"group:{each}" for each in config.groups] or ["caller"]
            # Who may answer is part of the id: what others approved under a former revision does not count here.
            identity = [scopes.current().name, number, asked, answerers]
            digest = hashlib.sha256(orjson.dumps(identity, option=orjson.OPT_SORT_KEYS))
            given = await scopes.run.ask(
                f"approve-{digest.hexdigest()[:16]}",
                "approval",
                prompt=f"May the tool {call.tool_name} be called?",
                calls=[asked],
                answerers=answerers,
                seconds=config.seconds,
            )
            denied = ToolDenied(f"{'Nobody approved' if given.by == 'expiry' else 'A person refused'} this call.")
            results[call.tool_call_id] = ToolApproved() if given.approved else denied
        return requests.build_results(approvals=results)

    return HandleDeferredToolCalls(handle)


def _config(by_tool: Mapping[str, ApprovalConfig], tool: str) -> ApprovalConfig:
    """That of the tool, or of the entry that has all tools of a plugin."""
    entry, _, _ = tool.partition("__")
    return by_tool.get(tool) or by_tool.get(entry) or ApprovalConfig(tool=tool)


def _agent_name(context: RunContext[Any]) -> str:
    return (context.agent.name if context.agent is not None else None) or ""
