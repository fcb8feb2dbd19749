"""The contract of what an MCP server of the gateway is made of: agents, and servers elsewhere."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from slipway_runtime.gateway.mcp.exchange import Client, Exchange
from slipway_runtime.gateway.relay import Reply
from slipway_runtime.identity import Caller
from slipway_runtime.protocols.mcp.messages import Id, Json


class SourceKey(NamedTuple):
    """The object that a source is: `agents` or another plural, namespace and name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return "/".join(self)


class KnownSource(NamedTuple):
    """A source that there is, whoever may use it."""

    key: SourceKey
    created: str = ""
    """When its object was made (RFC 3339); empty where nobody knows."""
    given: str = ""
    """What its names begin with on the federated server, as its object's status says; empty where it does not."""


@dataclass(frozen=True)
class Listing:
    """What a caller may use of a source, each as the protocol lists it, under the source's own names."""

    tools: tuple[Json, ...] = ()
    resources: tuple[Json, ...] = ()
    templates: tuple[Json, ...] = ()
    prompts: tuple[Json, ...] = ()


class ToolSource(Protocol):
    """Something that has tools, and perhaps resources and prompts."""

    @property
    def key(self) -> SourceKey:
        """Which object it is."""
        ...

    @property
    def capabilities(self) -> Json:
        """What it can do besides listing tools, resources and prompts, in the protocol's words."""
        ...

    @property
    def version(self) -> object:
        """Becomes another one when what it lists may have changed."""
        ...

    async def listing(self, caller: Caller) -> Listing:
        """What the caller may use now. It may raise or hang: then the server goes on without it."""
        ...

    def followed(self) -> AbstractAsyncContextManager[object]:
        """Meanwhile `version` changes soon after what it lists."""
        ...

    async def answer(self, exchange: Exchange, name: str) -> None:
        """Answer any request that is about one of its tools, resources or prompts, or one of `capabilities`.

        Args:
            name: of the tool or prompt, or address of the resource, as `listing` has it; empty where there is none.

        Raises:
            RpcError: for what it does not have.
            Problem: if it cannot answer; the client gets that as the result of its tool.
            ClientGone: if the client left first.
        """
        ...

    async def resume(self, client: Client, kept: Mapping[str, Any], reply: Reply) -> None:
        """Go on with a stream after an event whose id holds `kept`. Raises Problem, ClientGone."""
        ...

    async def answered(self, client: Client, kept: Mapping[str, Any], result: Json | None) -> None:
        """Take a client's answer to a request whose id holds `kept`; None for an error. Raises Problem."""
        ...

    async def cancelled(self, client: Client, request: Id) -> None:
        """The client gave up this request of its session, which may be another source's."""
        ...


class ToolSources(Protocol):
    """Where sources are from."""

    def known(self) -> Iterable[KnownSource]:
        """Every source that there is."""
        ...

    def of(self, caller: Caller) -> Iterable[ToolSource]:
        """Those that a caller may use anything of."""
        ...

    def get(self, key: SourceKey, caller: Caller) -> ToolSource | None:
        """The one with this key, if it is of this kind and the caller may use anything of it."""
        ...


@dataclass
class AllSources:
    """Everything that there is, from wherever it is known."""

    parts: list[ToolSources] = field(default_factory=list)

    def known(self) -> list[KnownSource]:
        """See `ToolSources`."""
        return [each for part in self.parts for each in part.known()]

    def of(self, caller: Caller) -> list[ToolSource]:
        """See `ToolSources`."""
        return [source for part in self.parts for source in part.of(caller)]

    def get(self, key: SourceKey, caller: Caller) -> ToolSource | None:
        """See `ToolSources`."""
        return next((found for part in self.parts if (found := part.get(key, caller)) is not None), None)
