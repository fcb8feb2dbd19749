"""Workflows as sources of the federated MCP server: each is one tool, whose call is a run.

A client that leaves does not end the run. In the era of handshakes the stream can be continued; a call that is sent
again with the same id in a session finds the same run.
"""

import hashlib
import uuid
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from dataclasses import dataclass
from typing import Any

import orjson
from mcp_types import jsonrpc

from slipway_runtime.gateway.asgi import unless_gone
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.mcp.exchange import Client, Exchange
from slipway_runtime.gateway.mcp.sources import KnownSource, Listing, SourceKey, ToolSource
from slipway_runtime.gateway.permissions import Action
from slipway_runtime.gateway.relay import Reply
from slipway_runtime.gateway.routes import WorkflowKey
from slipway_runtime.gateway.workflows.runs import LAST, WorkflowRuns
from slipway_runtime.gateway.workflows.table import WorkflowEntry
from slipway_runtime.identity import Caller
from slipway_runtime.protocols.mcp import results
from slipway_runtime.protocols.mcp.messages import Id, Json, RpcError

KIND = "workflows"
TOOL = "run"
"""The name of each workflow's tool, behind the workflow's own."""
ANYTHING: Json = {"type": "object"}
ENDLESS: Json = {}
OUTPUT_BYTES = 1024 * 1024
"""Of an output in a result, which has it twice: as text and as data."""


@dataclass(frozen=True)
class WorkflowSource:
    """See `ToolSource`."""

    gateway: Gateway
    workflow: WorkflowKey

    @property
    def key(self) -> SourceKey:
        """See `ToolSource`."""
        return SourceKey(KIND, self.workflow.namespace, self.workflow.name)

    @property
    def capabilities(self) -> Json:
        """See `ToolSource`: nothing besides tools."""
        return {}

    @property
    def version(self) -> object:
        """See `ToolSource`."""
        return (self.gateway.workflows.get(self.workflow), self.gateway.routes.access(self.workflow))

    async def listing(self, caller: Caller) -> Listing:
        """See `ToolSource`."""
        entry = self.gateway.workflows.get(self.workflow)
        may = self.gateway.policy.allows(caller, Action.ASK, self.workflow)
        return Listing(tools=(_tool(self.workflow, entry),)) if entry is not None and may else Listing()

    def followed(self) -> AbstractAsyncContextManager[object]:
        """See `ToolSource`. What is known of workflows is current."""
        return nullcontext()

    async def answer(self, exchange: Exchange, name: str) -> None:
        """See `ToolSource`."""
        if exchange.message.method != "tools/call" or name != TOOL:
            raise RpcError(jsonrpc.METHOD_NOT_FOUND, "workflows have one tool, which starts a run and waits for it")
        await unless_gone(self._called(exchange), exchange.receive)

    async def resume(self, client: Client, kept: Mapping[str, Any], reply: Reply) -> None:
        """See `ToolSource`. A call that is sent again finds its run, so no stream is continued."""
        raise RpcError(jsonrpc.INVALID_PARAMS, "This stream cannot be resumed: call the tool again with the same id")

    async def answered(self, client: Client, kept: Mapping[str, Any], result: Json | None) -> None:
        """See `ToolSource`. A workflow asks its clients nothing: decisions are made by HTTP."""

    async def cancelled(self, client: Client, request: Id) -> None:
        """See `ToolSource`."""
        await WorkflowRuns(self.gateway, self.workflow, client.caller).cancel(_named(client, self.workflow, request))

    async def _called(self, exchange: Exchange) -> None:
        client = exchange.client
        runs = WorkflowRuns(self.gateway, self.workflow, client.caller)
        run = _named(client, self.workflow, exchange.message.id) if client.context.session else uuid.uuid4().hex
        await runs.start(run, exchange.message.params.get("arguments") or {}, started_by="mcp")
        last = await _followed(exchange, runs, run)
        if last.get("output_bytes", 0) > OUTPUT_BYTES:
            await exchange.result(_too_long(self.workflow, run, last))
        else:
            await exchange.result(_result(run, await runs.with_output(run, last)))


async def _followed(exchange: Exchange, runs: WorkflowRuns, run: str) -> Json:
    """The event that ends a run; the client is notified of what comes before. Raises Problem."""
    token = exchange.message.progress_token if exchange.streams else None
    told, last = 0, ENDLESS
    async with aclosing(runs.follow(run)) as coming:
        async for event in coming:
            if str(event.get("type")) in LAST:
                last = event
                break
            if token is not None and (words := worded(event)):
                told += 1
                params = {"progressToken": token, "progress": told, "message": words}
                await exchange.notify("notifications/progress", params)
            elif not event and exchange.streams:
                await exchange.ping()
    return last


def _named(client: Client, workflow: WorkflowKey, request: Id) -> str:
    """The id of the run that a request of a session begins."""
    name = [client.caller.owner, KIND, str(workflow), client.context.session, request]
    return hashlib.sha256(orjson.dumps(name)).hexdigest()[:32]


def _tool(workflow: WorkflowKey, entry: WorkflowEntry) -> Json:
    about = entry.description or f"The workflow {workflow.name}."
    return {
        "name": TOOL,
        "description": f"{about} Starts a run and waits for its result.",
        "inputSchema": dict(entry.input_schema or ANYTHING),
        "annotations": {"readOnlyHint": False, "openWorldHint": True},
    }


def worded(event: Json) -> str:
    """An event of a run in words; empty for one that says nothing to a client."""
    step, index = event.get("step"), event.get("index")
    where = f"{step}[{index}]" if index is not None else str(step)
    match event.get("type"):
        case "step_started":
            return f"{where} has begun" + (f", by {event['agent']}" if event.get("agent") else "")
        case "step_retrying":
            return f"{where} is tried again: {event.get('reason')}"
        case "step_ended":
            return f"{where} {event.get('state')}"
        case "input_required":
            what = event.get("asks") or event.get("event") or ""
            return f"{where} waits for {event.get('kind', 'an input')}: {what}"
        case "needs_attention":
            return f"{where} needs a person who says what came of it"
        case _:
            return ""


def _result(run: str, last: Json) -> Json:
    if last.get("type") != "done":
        about = ": ".join(str(last[name]) for name in ("reason", "message") if last.get(name))
        return results.failed(f"The run {run} {last.get('type', 'did not end')}. {about}".strip())
    output = last.get("output")
    return results.text(orjson.dumps(output).decode(), structuredContent={"run_id": run, "output": output})


def _too_long(workflow: WorkflowKey, run: str, last: Json) -> Json:
    size = last["output_bytes"]
    path = f"/workflows/{workflow.namespace}/{workflow.name}/runs/{run}"
    said = f"The run {run} is done. Its output was left out: it has {size} bytes, and a result at most {OUTPUT_BYTES}."
    return results.text(f"{said} GET {path} has it.", structuredContent={"run_id": run, "output_bytes": size})


class WorkflowSources:
    """See `ToolSources`."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def known(self) -> list[KnownSource]:
        """See `ToolSources`."""
        return [
            KnownSource(SourceKey(KIND, key.namespace, key.name), entry.created, entry.mcp_name)
            for key, entry in self._gateway.workflows.items()
        ]

    def of(self, caller: Caller) -> list[ToolSource]:
        """See `ToolSources`."""
        return [source for key, _ in self._gateway.workflows.items() if (source := self._source(key, caller))]

    def get(self, key: SourceKey, caller: Caller) -> ToolSource | None:
        """See `ToolSources`."""
        return self._source(WorkflowKey(key.namespace, key.name), caller) if key.kind == KIND else None

    def _source(self, key: WorkflowKey, caller: Caller) -> ToolSource | None:
        gateway = self._gateway
        known = gateway.workflows.get(key) is not None and gateway.policy.allows(caller, Action.LIST, key)
        return WorkflowSource(gateway, key) if known else None
