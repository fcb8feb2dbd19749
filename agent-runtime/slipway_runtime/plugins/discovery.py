"""What a server is: its era, its version, its tools. Asked for at its first use, and again every minute."""

import itertools
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from mcp_types import CLIENT_CAPABILITIES_META_KEY, CLIENT_INFO_META_KEY, PROTOCOL_VERSION_META_KEY
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION

from slipway_crds.contract import UNSUPPORTED_VERSION
from slipway_runtime.plugins.answers import answer_in
from slipway_runtime.plugins.messages import EVENT_STREAM, JSON, dumps
from slipway_runtime.plugins.offers import MOST_OFFERS, PARTS, OfferPart, Offers
from slipway_runtime.plugins.server import PluginServer, ServerFailed, media_type
from slipway_runtime.plugins.tools import MOST_TOOLS, Tool, shown

log = logging.getLogger(__name__)

CLIENT = {"name": "slipway", "version": "0.1.0"}
"""What servers get to know of us."""
MOST_PAGES = 100
MOST_LISTED = 10_000
"""Tools of a list that are looked at."""
MOST_BYTES = 16 * 1024 * 1024
"""Of a list with all its pages."""
WORDS = 300
Era = Literal["2025-11-25", "2026-07-28"]
LEGACY: Era = "2025-11-25"
MODERN: Era = "2026-07-28"
SERVER_INFO = "io.modelcontextprotocol/serverInfo"


class ErrorAnswer(Exception):
    """A server answered a request with an error of JSON-RPC."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(str(error.get("message"))[:WORDS])
        self.code = error.get("code")
        self.error = error


@dataclass(frozen=True)
class Discovery:
    """What was found out of a server."""

    era: Era
    version: str
    """The revision that was agreed on."""
    capabilities: Mapping[str, Any]
    server_info: Mapping[str, Any]
    instructions: str | None = None
    tools: tuple[Tool, ...] = ()
    offers: Offers = field(default_factory=Offers)
    note: str = ""
    """What of its tools is left out, and why."""
    sessions: bool = False
    """Whether it takes clients of 2025-11-25, besides those of its era."""
    by_name: Mapping[str, Tool] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {tool.name: tool for tool in self.tools})


def modern_meta() -> dict[str, Any]:
    """What each request of 2026-07-28 says of its client: one that can do nothing for a server."""
    return {
        PROTOCOL_VERSION_META_KEY: LATEST_MODERN_VERSION,
        CLIENT_INFO_META_KEY: CLIENT,
        CLIENT_CAPABILITIES_META_KEY: {},
    }


class ServerLink:
    """Requests of our own to a server, in the words of its era."""

    def __init__(self, server: PluginServer, era: Era, *, session: str | None = None, version: str = "") -> None:
        self.server = server
        self.era = era
        self.session = session
        self.version = version
        self._ids = itertools.count(1)

    def headers(self, method: str) -> dict[str, str]:
        """Of a request."""
        headers = {"Content-Type": JSON, "Accept": f"{JSON}, {EVENT_STREAM}"}
        if self.era == MODERN:
            return headers | {"MCP-Protocol-Version": LATEST_MODERN_VERSION, "Mcp-Method": method}
        if self.version:
            headers["MCP-Protocol-Version"] = self.version
        return headers | ({"Mcp-Session-Id": self.session} if self.session else {})

    async def request(self, method: str, params: Mapping[str, Any]) -> tuple[dict[str, Any], str | None, int]:
        """Result, session id and size of the answer.

        Raises:
            ServerFailed, ErrorAnswer.
        """
        number = next(self._ids)
        given = {**params, "_meta": modern_meta()} if self.era == MODERN else dict(params)
        body = dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": given})
        async with self.server.open("POST", self.headers(method), body) as response:
            answer = await self.server.whole(response)
            session = response.headers.get("Mcp-Session-Id")
            try:
                content = answer_in(answer, media_type(response), number)
            except ValueError as error:
                raise self._invalid(f"{method}: {error}") from None
        refusal, result = content.get("error"), content.get("result")
        if isinstance(refusal, Mapping):
            raise ErrorAnswer(refusal)
        if not isinstance(result, dict):
            raise self._invalid(f"{method} without a result")
        return result, session, len(answer)

    async def notify(self, method: str) -> None:
        """Tell the server something. Raises ServerFailed."""
        body = dumps({"jsonrpc": "2.0", "method": method})
        async with self.server.open("POST", self.headers(method), body):
            return

    def _invalid(self, what: str) -> ServerFailed:
        return ServerFailed("InvalidAnswer", f"the server of plugin {self.server.upstream.key} gave {what}")


async def discover(server: PluginServer) -> Discovery:
    """Find out about a server.

    Raises:
        ServerFailed: if it gives no answer of MCP.
    """
    try:
        link, found = await connect(server)
        try:
            if "tools" in found.capabilities:
                found = await _with_tools(link, found)
            return replace(found, offers=await _offers(link, found))
        finally:
            await leave(link)
    except ErrorAnswer as error:
        raise ServerFailed(
            "ServerRefused", f"the server of plugin {server.upstream.key} refused to say what it has: {error}"
        ) from None


async def connect(server: PluginServer) -> tuple[ServerLink, Discovery]:
    """A connection in the era of the server: 2026-07-28 if it says that it supports it, and nothing else counts.

    Raises:
        ServerFailed, ErrorAnswer.
    """
    link = ServerLink(server, MODERN)
    try:
        result, _, _ = await link.request("server/discover", {})
        versions = result.get("supportedVersions")
        if isinstance(versions, list) and LATEST_MODERN_VERSION in versions:
            return link, replace(_modern(result), sessions=await _takes_sessions(server, versions))
    except ErrorAnswer:
        pass
    except ServerFailed as error:
        if error.reason != "NotAnMcpServer":
            raise
    return await handshake(server)


def _modern(result: Mapping[str, Any]) -> Discovery:
    meta = result.get("_meta")
    return Discovery(
        MODERN,
        LATEST_MODERN_VERSION,
        capabilities=_object(result.get("capabilities")),
        server_info=_object(meta.get(SERVER_INFO) if isinstance(meta, dict) else None),
        instructions=_text(result.get("instructions")),
    )


async def _takes_sessions(server: PluginServer, versions: list[object]) -> bool:
    """Whether a server of 2026-07-28 takes clients of before. Servers need not list that, so it is tried."""
    if any(version in HANDSHAKE_PROTOCOL_VERSIONS for version in versions):
        return True
    try:
        link, _ = await handshake(server)
    except ErrorAnswer:
        return False
    except ServerFailed as error:
        if error.reason in ("NotAnMcpServer", UNSUPPORTED_VERSION, "InvalidAnswer"):
            return False
        raise
    await leave(link)
    return True


async def handshake(
    server: PluginServer, *, capabilities: Mapping[str, Any] | None = None
) -> tuple[ServerLink, Discovery]:
    """A session with a server of 2025-11-25 or before.

    Args:
        capabilities: what the client can do for the server; nothing if not given.

    Raises:
        ServerFailed, ErrorAnswer.
    """
    link = ServerLink(server, LEGACY)
    params = {
        "protocolVersion": LATEST_HANDSHAKE_VERSION,
        "capabilities": dict(capabilities or {}),
        "clientInfo": CLIENT,
    }
    result, link.session, _ = await link.request("initialize", params)
    version = result.get("protocolVersion")
    if version not in HANDSHAKE_PROTOCOL_VERSIONS:
        raise ServerFailed(
            UNSUPPORTED_VERSION,
            f"the server of plugin {server.upstream.key} speaks MCP {str(version)[:32]}, which is not spoken here",
        )
    link.version = str(version)
    await link.notify("notifications/initialized")
    found = Discovery(
        LEGACY,
        link.version,
        capabilities=_object(result.get("capabilities")),
        server_info=_object(result.get("serverInfo")),
        instructions=_text(result.get("instructions")),
        sessions=True,
    )
    return link, found


async def leave(link: ServerLink) -> None:
    """End a session. Nobody waits for a server that does not take it."""
    if link.session is None:
        return
    try:
        async with link.server.open("DELETE", link.headers("")):
            return
    except ServerFailed:
        return


async def _with_tools(link: ServerLink, found: Discovery) -> Discovery:
    names, listed, size = link.server.upstream.tools, list[object](), 0
    cursor: dict[str, Any] = {}
    note = ""
    for _ in range(MOST_PAGES):
        result, _, length = await link.request("tools/list", cursor)
        page, size = result.get("tools"), size + length
        listed += page if isinstance(page, list) else []
        following = result.get("nextCursor")
        if not isinstance(following, str) or not following:
            break
        if size > MOST_BYTES or len(listed) >= MOST_LISTED or cursor.get("cursor") == following:
            note = f"the list of its tools goes on after {len(listed)}: what follows is left out"
            break
        cursor = {"cursor": following}
    kept = shown(listed[:MOST_LISTED], names, modern=found.era == MODERN)
    notes = "; ".join(filter(None, (note, kept.note, _missing(names.allowed, kept.tools))))
    return replace(found, tools=kept.tools, note=notes)


async def _offers(link: ServerLink, found: Discovery) -> Offers:
    """What it has besides tools. A list that it does not give, or that is broken, is empty: its tools count."""
    kept: dict[str, tuple[Mapping[str, Any], ...]] = {}
    for part in PARTS:
        if part.capability in found.capabilities:
            try:
                kept[part.field] = await _listed(link, part)
            except (ErrorAnswer, ServerFailed) as error:
                log.info("a plugin's server gave no %s: %s", part.method, error)
    return Offers(**kept)


async def _listed(link: ServerLink, part: OfferPart) -> tuple[Mapping[str, Any], ...]:
    listed: list[object] = []
    cursor: dict[str, Any] = {}
    for _ in range(MOST_PAGES):
        result, _, _ = await link.request(part.method, cursor)
        page, following = result.get(part.key), result.get("nextCursor")
        listed += page if isinstance(page, list) else []
        if not isinstance(following, str) or not following or len(listed) >= MOST_OFFERS:
            break
        cursor = {"cursor": following}
    return part.readable(listed)


def _missing(allowed: frozenset[str] | None, tools: tuple[Tool, ...]) -> str:
    """The tools that the Plugin allows and the server has not."""
    lacking = sorted((allowed or frozenset()) - {tool.original for tool in tools})
    if not lacking or len(tools) >= MOST_TOOLS:
        return ""
    return f"the server has no tool {', '.join(lacking[:5])}: see tools.allow"


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) and len(json.dumps(value)) < 64 * 1024 else {}


def _text(value: object) -> str | None:
    return value[:16_384] if isinstance(value, str) else None
