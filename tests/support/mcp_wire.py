"""MCP as bytes, for tests of what no client library would send."""

import io
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp

Json = dict[str, Any]
LEGACY, MODERN = "2025-11-25", "2026-07-28"
BOTH = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
META = "io.modelcontextprotocol/"


def request(method: str, params: Json | None = None, *, id: Any = 1) -> Json:  # noqa: A002
    """A request of the era of handshakes."""
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params or {}}


def ask(question: str, *, id: Any = 1, tool: str = "ask", token: Any = None) -> Json:  # noqa: A002
    """A call of the tool `ask`."""
    meta = {} if token is None else {"_meta": {"progressToken": token}}
    return request("tools/call", {"name": tool, "arguments": {"question": question}, **meta}, id=id)


def modern(message: Json, *, capabilities: Json | None = None) -> tuple[Json, dict[str, str]]:
    """The same in revision 2026-07-28, and its headers."""
    version = {f"{META}protocolVersion": MODERN, f"{META}clientCapabilities": capabilities or {}}
    params = {**message["params"], "_meta": {**message["params"].get("_meta", {}), **version}}
    headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": message["method"]}
    name = params.get("name") or params.get("uri")
    return {**message, "params": params}, headers | ({"Mcp-Name": name} if name else {})


class Wire:
    """A client of one server."""

    def __init__(self, http: aiohttp.ClientSession, url: str, headers: Mapping[str, str] | None = None) -> None:
        self._http = http
        self.url = url
        self.headers = {**BOTH, **(headers or {})}

    async def begin(self, capabilities: Json | None = None, version: str = LEGACY) -> None:
        """Begin a session."""
        params = {
            "protocolVersion": version,
            "capabilities": capabilities or {},
            "clientInfo": {"name": "test", "version": "1"},
        }
        async with self.post(request("initialize", params)) as response:
            assert response.status == 200, await response.text()
            self.headers |= {"Mcp-Session-Id": response.headers["Mcp-Session-Id"], "MCP-Protocol-Version": version}
            assert (await response.json())["result"]["protocolVersion"] == version

    def post(self, message: Any, **headers: str | None) -> Any:
        """Send a message; bytes as they are."""
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        given = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        sent = {name: value for name, value in given.items() if value is not None}
        return self._http.post(self.url, data=io.BytesIO(data), headers=sent)

    def resume(self, event: str, **headers: str) -> Any:
        """Go on with a stream."""
        return self._http.get(self.url, headers={**self.headers, "Last-Event-ID": event, **headers})


async def messages(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, Json]]:
    """The id and the message of each event of a stream; the message is empty for an event without one."""
    event, data = "", ""
    async for raw in response.content:
        line = raw.decode().rstrip("\r\n")
        if line.startswith("id: "):
            event = line[4:]
        elif line.startswith("data: "):
            data = line[6:]
        elif not line and (event or data):
            yield event, json.loads(data) if data else {}
            event, data = "", ""
