"""Agents as sources of an MCP server."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import orjson
from mcp_types import jsonrpc

from slipway_runtime.gateway import access
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.hosted_path import measured, upstream_request
from slipway_runtime.gateway.mcp import agent_tools
from slipway_runtime.gateway.mcp.agent_tools import (
    Arguments,
    InvalidArguments,
    SearchArguments,
    WebArguments,
    WorkflowArguments,
)
from slipway_runtime.gateway.mcp.asking import AskTool
from slipway_runtime.gateway.mcp.exchange import Client, Exchange
from slipway_runtime.gateway.mcp.inner import read_json
from slipway_runtime.gateway.mcp.sources import KnownSource, Listing, SourceKey, ToolSource
from slipway_runtime.gateway.permissions import DOCUMENTS_TOOL, Action
from slipway_runtime.gateway.relay import Reply
from slipway_runtime.gateway.routes import AgentKey
from slipway_runtime.identity import Caller
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.mcp import results
from slipway_runtime.protocols.mcp.documents import DocumentId
from slipway_runtime.protocols.mcp.eras import NAMED_BY, no_such_method
from slipway_runtime.protocols.mcp.messages import Id, Json, RpcError

KIND = "agents"
TOOL_SECONDS = 60.0
NO_RESOURCE = -32002
"""Of revisions before 2026-07-28."""


class AgentSource:
    """See `ToolSource`."""

    def __init__(self, gateway: Gateway, agent: AgentKey) -> None:
        self._gateway = gateway
        self.agent = agent
        self.key = SourceKey(KIND, agent.namespace, agent.name)

    @property
    def capabilities(self) -> Json:
        """See `ToolSource`."""
        return {}

    @property
    def version(self) -> object:
        """See `ToolSource`."""
        routes = self._gateway.routes
        return (routes.description(self.agent), routes.offer(self.agent), routes.access(self.agent))

    async def listing(self, caller: Caller) -> Listing:
        """See `ToolSource`."""
        routes = self._gateway.routes
        description = routes.description(self.agent)
        return Listing(
            tools=tuple(self._tools(caller).values()),
            templates=agent_tools.templates_of(description) if self._may(caller, DOCUMENTS_TOOL) else (),
            prompts=agent_tools.prompts_of(routes.offer(self.agent)),
        )

    def followed(self) -> AbstractAsyncContextManager[object]:
        """See `ToolSource`. What is known of agents is current."""
        return nullcontext()

    def _tools(self, caller: Caller) -> dict[str, Json]:
        routes = self._gateway.routes
        found = agent_tools.tools_of(routes.description(self.agent), routes.offer(self.agent))
        return {name: tool for name, tool in found.items() if self._may(caller, name)}

    def _may(self, caller: Caller, tool: str) -> bool:
        """Whether a caller may use one of the tools. The one place that decides."""
        return self._gateway.policy.allows(caller, Action.ASK, self.agent, tool=tool)

    async def answer(self, exchange: Exchange, name: str) -> None:
        """See `ToolSource`."""
        method, caller = exchange.message.method, exchange.client.caller
        access.note(tool=name if method == "tools/call" else method)
        with measured(self.agent, exchange.reply):
            if method == "resources/read" and self._may(caller, DOCUMENTS_TOOL):
                await self._read(exchange, name)
            elif method == "tools/call" and name in self._tools(caller):
                await self._call(exchange, name)
            elif method == "prompts/get" and (prompt := self._prompt(exchange, name)):
                await exchange.result(prompt)
            elif method not in NAMED_BY:
                raise no_such_method(method)
            else:
                raise RpcError(jsonrpc.INVALID_PARAMS, f"There is no {name[:200]}: list what there is")

    def _prompt(self, exchange: Exchange, name: str) -> Json | None:
        """Raises RpcError."""
        given = exchange.message.params.get("arguments") or {}
        try:
            return agent_tools.prompt_of(self._gateway.routes.offer(self.agent), name, given)
        except InvalidArguments as error:
            raise RpcError(jsonrpc.INVALID_PARAMS, str(error)) from None

    async def _call(self, exchange: Exchange, name: str) -> None:
        try:
            arguments = agent_tools.read_arguments(name, exchange.message.params.get("arguments"))
        except InvalidArguments as error:
            await exchange.result(results.failed(str(error)))
            return
        if isinstance(arguments, agent_tools.AskArguments):
            await self._ask.answer(exchange, arguments)
        else:
            await exchange.result(await self._result(exchange, name, arguments))

    @property
    def _ask(self) -> AskTool:
        return AskTool(self._gateway, self.agent, self.key)

    async def _result(self, exchange: Exchange, name: str, arguments: Arguments) -> Json:
        caller = exchange.client.caller
        if isinstance(arguments, SearchArguments):
            found = await self._asked(caller, "search", arguments)
            passages = [{**each, "uri": exchange.uri(_document(each).uri)} for each in found["passages"]]
            return {"content": _passages(passages), "structuredContent": {"passages": passages}}
        if isinstance(arguments, WebArguments):
            found = await self._asked(caller, "web-search", arguments)
            pages = "\n\n".join(f"{each['title']}\n{each['url']}\n{each['text']}" for each in found["results"])
            return results.text(pages or "No page is about this.", structuredContent=dict(found))
        if isinstance(arguments, WorkflowArguments):
            peers = [each for each in self._gateway.routes.agents() if each.namespace == self.agent.namespace]
            made = await self._asked(caller, "workflow", arguments, members=self._members(caller, peers))
            return results.text(made["text"], structuredContent={"manifest": made["manifest"]})
        members = self._members(caller, self._gateway.routes.reach(self.agent).agents)
        decision = await self._asked(caller, "analysis", arguments, members=members)
        return results.text(orjson.dumps(decision).decode(), structuredContent=dict(decision))

    def _members(self, caller: Caller, agents: Iterable[AgentKey]) -> list[Json]:
        """Those of the agents that the caller may ask, as far as this gateway knows them."""
        routes, allows = self._gateway.routes, self._gateway.policy.allows
        ready = routes.agents()
        return [
            {
                "name": each.name,
                "ready": ready[each] > 0,
                "architecture": described.architecture or "",
                "description": described.description,
                "capabilities": described.capabilities,
                "knowledge": described.knowledge,
            }
            for each in sorted(agents)
            if each in routes and allows(caller, Action.ASK, each) and (described := routes.description(each))
        ]

    async def _asked(self, caller: Caller, path: str, arguments: Arguments, **more: object) -> Mapping[str, Any]:
        body = orjson.dumps({**arguments.sent(), **more})
        return await self._json(caller, "POST", path, body)

    async def _json(self, caller: Caller, method: str, path: str, body: bytes | None = None) -> Mapping[str, Any]:
        headers = {"Accept": "application/json"} | ({"Content-Type": "application/json"} if body else {})
        call = upstream_request(
            self._gateway,
            method,
            f"/agents/{self.agent}/{path}",
            agent=self.agent,
            caller=caller,
            headers=headers,
            body=body,
            seconds=TOOL_SECONDS,
        )
        return await read_json(self._gateway.upstreams, call)

    async def _read(self, exchange: Exchange, uri: str) -> None:
        named = DocumentId.parse(uri)
        try:
            if named is None:
                raise Problem(Reason.NOT_FOUND, "no such document")
            body = orjson.dumps(named._asdict())
            found = await self._json(exchange.client.caller, "POST", "document", body)
        except Problem as problem:
            if problem.reason is not Reason.NOT_FOUND:
                raise
            code = jsonrpc.INVALID_PARAMS if exchange.client.context.modern else NO_RESOURCE
            raise RpcError(code, "Resource not found", {"uri": exchange.uri(uri)}) from None
        content = {"uri": exchange.uri(uri), "mimeType": found["media_type"], "text": found["text"]}
        await exchange.result({"contents": [content]})

    async def resume(self, client: Client, kept: Mapping[str, Any], reply: Reply) -> None:
        """See `ToolSource`."""
        with measured(self.agent, reply):
            await self._ask.resume(client, kept, reply)

    async def answered(self, client: Client, kept: Mapping[str, Any], result: Json | None) -> None:
        """See `ToolSource`."""
        await self._ask.give(client, kept, result)

    async def cancelled(self, client: Client, request: Id) -> None:
        """See `ToolSource`."""
        await self._ask.cancel(client, request)


class AgentSources:
    """See `ToolSources`."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def known(self) -> list[KnownSource]:
        """See `ToolSources`."""
        routes = self._gateway.routes
        offers = [(agent, routes.offer(agent)) for agent in routes.agents()]
        return [KnownSource(SourceKey(KIND, *agent), offer.created, offer.mcp_name) for agent, offer in offers]

    def of(self, caller: Caller) -> list[ToolSource]:
        """See `ToolSources`."""
        return [source for agent in self._gateway.routes.agents() if (source := self.agent(agent, caller))]

    def get(self, key: SourceKey, caller: Caller) -> ToolSource | None:
        """See `ToolSources`."""
        return self.agent(AgentKey(key.namespace, key.name), caller) if key.kind == KIND else None

    def agent(self, agent: AgentKey, caller: Caller) -> AgentSource | None:
        """The source of an agent that a caller may use; None for any other."""
        known = agent in self._gateway.routes and self._gateway.policy.allows(caller, Action.LIST, agent)
        return AgentSource(self._gateway, agent) if known else None


def _document(passage: Mapping[str, Any]) -> DocumentId:
    return DocumentId(passage["index"], passage["source"], passage["document"])


def _passages(passages: list[dict[str, Any]]) -> list[Json]:
    """For clients that show words only."""
    said = "\n\n".join(
        f"{each['document']}{' > ' + each['heading'] if each['heading'] else ''} ({each['uri']})\n{each['text']}"
        for each in passages
    )
    return [{"type": "text", "text": said or "No passage is about this."}]
