"""MCP servers over sources: one that has the names of its only source, and one that prefixes those of all."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from mcp_types import jsonrpc

from slipway_runtime.gateway.mcp.exchange import Exchange
from slipway_runtime.gateway.mcp.names import Prefixes
from slipway_runtime.gateway.mcp.sources import AllSources, Listing, SourceKey, ToolSource
from slipway_runtime.identity import Caller
from slipway_runtime.protocols.mcp import eras
from slipway_runtime.protocols.mcp.messages import Json, RpcError
from slipway_runtime.tool_names import Names

log = logging.getLogger(__name__)
COMPLETE = "completion/complete"
BY_ADDRESS = frozenset(("resources/read", "resources/subscribe", "resources/unsubscribe", COMPLETE))
LISTING_SECONDS = 5.0
"""How long a source is waited for when tools are listed. It is left out then."""


class Server(Protocol):
    """What is behind a path for one caller."""

    @property
    def place(self) -> str:
        """Names the server."""
        ...

    @property
    def info(self) -> Json:
        """Its name and version."""
        ...

    @property
    def instructions(self) -> str:
        """What it is for; empty for nothing."""
        ...

    @property
    def capabilities(self) -> Json:
        """See `ToolSource`."""
        ...

    def version(self, caller: Caller) -> object:
        """See `ToolSource`."""
        ...

    async def listing(self, caller: Caller) -> Listing:
        """All that the caller may use, under the server's names."""
        ...

    async def answer(self, exchange: Exchange, name: str) -> None:
        """See `ToolSource`, with the server's names."""
        ...

    def sources(self, caller: Caller) -> Sequence[ToolSource]:
        """What it is made of."""
        ...

    def source(self, key: SourceKey, caller: Caller) -> ToolSource | None:
        """The one with this key."""
        ...


@dataclass(frozen=True)
class SingleServer:
    """The server of one source, with the names that this has."""

    only: ToolSource
    place: str
    info: Json
    instructions: str

    @property
    def capabilities(self) -> Json:
        """See `Server`."""
        return self.only.capabilities

    def version(self, caller: Caller) -> object:
        """See `Server`."""
        return self.only.version

    async def listing(self, caller: Caller) -> Listing:
        """See `Server`."""
        return await self.only.listing(caller)

    async def answer(self, exchange: Exchange, name: str) -> None:
        """See `Server`."""
        await self.only.answer(exchange, name)

    def sources(self, caller: Caller) -> Sequence[ToolSource]:
        """See `Server`."""
        return (self.only,)

    def source(self, key: SourceKey, caller: Caller) -> ToolSource | None:
        """See `Server`."""
        return self.only if key == self.only.key else None


@dataclass(frozen=True)
class FederatedServer:
    """All that a caller may use. A source that fails or takes too long is left out."""

    all: AllSources
    place: str
    info: Json
    instructions: str
    prefixes: Prefixes = field(default_factory=Prefixes)

    @property
    def capabilities(self) -> Json:
        """See `Server`. What a source does not complete has no completions. What else not all can do, it cannot."""
        return {"completions": {}}

    def version(self, caller: Caller) -> object:
        """See `Server`."""
        return [(source.key, source.version) for source in self.all.of(caller)]

    async def listing(self, caller: Caller) -> Listing:
        """See `Server`."""
        named = self._named(caller)
        parts = await asyncio.gather(*(_renamed(source, prefix, caller) for prefix, source in named.items()))
        return Listing(
            tools=tuple(each for part in parts for each in part.tools),
            resources=tuple(each for part in parts for each in part.resources),
            templates=tuple(each for part in parts for each in part.templates),
            prompts=tuple(each for part in parts for each in part.prompts),
        )

    async def answer(self, exchange: Exchange, name: str) -> None:
        """See `Server`."""
        caller, method = exchange.client.caller, exchange.message.method
        prefix, source, inner = await self._found(name, caller, method)
        if method == COMPLETE and "completions" not in source.capabilities:
            await exchange.result({"completion": {"values": []}})
            return
        await source.answer(replace(exchange, prefix=prefix), inner)

    def _named(self, caller: Caller) -> dict[str, ToolSource]:
        """What the caller may use, by prefix."""
        prefix = self.prefixes.of(self.all.known())
        return {prefix[source.key]: source for source in self.all.of(caller)}

    async def _found(self, name: str, caller: Caller, method: str) -> tuple[str, ToolSource, str]:
        if not name:
            raise eras.no_such_method(method)
        named = self._named(caller)
        if method in BY_ADDRESS and "+" in name:
            prefix, _, inner = name.partition("+")
            if prefix in named:
                return prefix, named[prefix], inner
        for prefix in _candidates(name, named):
            source = named[prefix]
            offered = await _listed(source, caller)
            items = offered.prompts if method in ("prompts/get", COMPLETE) else offered.tools
            known = Names(prefix, [each["name"] for each in items]).inner(name)
            if known is not None:
                return prefix, source, known
        raise RpcError(jsonrpc.INVALID_PARAMS, f"There is no {name[:200]}: list what there is")

    def sources(self, caller: Caller) -> Sequence[ToolSource]:
        """See `Server`."""
        return self.all.of(caller)

    def source(self, key: SourceKey, caller: Caller) -> ToolSource | None:
        """See `Server`."""
        return self.all.get(key, caller)


def _candidates(name: str, named: dict[str, Any]) -> list[str]:
    """The prefixes that a name may have: one, unless it was cut."""
    prefix, mark, _ = name.partition("__")
    if mark and prefix in named:
        return [prefix]
    return [each for each in named if each.startswith(prefix)] if not mark else []


async def _listed(source: ToolSource, caller: Caller) -> Listing:
    try:
        async with asyncio.timeout(LISTING_SECONDS):
            return await source.listing(caller)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one source costs the others nothing
        log.warning("%s is listed without its tools: %s", source.key, type(error).__name__)
        return Listing()


async def _renamed(source: ToolSource, prefix: str, caller: Caller) -> Listing:
    found = await _listed(source, caller)
    tools = Names(prefix, [each["name"] for each in found.tools])
    prompts = Names(prefix, [each["name"] for each in found.prompts])
    return Listing(
        tools=tuple({**each, "name": tools.outer(each["name"])} for each in found.tools),
        resources=tuple({**each, "uri": f"{prefix}+{each['uri']}"} for each in found.resources),
        templates=tuple({**each, "uriTemplate": f"{prefix}+{each['uriTemplate']}"} for each in found.templates),
        prompts=tuple({**each, "name": prompts.outer(each["name"])} for each in found.prompts),
    )
