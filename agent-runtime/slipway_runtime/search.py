"""`slipway search`: the passages that a search finds, with their scores, from a terminal."""

import asyncio
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from slipway_runtime.ask import (
    TIMEOUT_SECONDS,
    Asking,
    CannotAsk,
    agent_for,
    check,
    finished,
    gateway_url,
    headers_for,
)
from slipway_runtime.terminal import Terminal

REVISION = "2026-07-28"
"""Of MCP: the first one in which a call needs no handshake."""
META = "io.modelcontextprotocol/"
SHOWN = 160
"""Characters of a passage in the table."""


@dataclass(frozen=True)
class Searching:
    """What is looked for, and where."""

    asking: Asking
    index: str | None = None
    where: str | None = None


def main(searching: Searching) -> int:
    """Search and print. 0 with a table (an empty one too), 1 without."""
    console = Terminal(soft_wrap=False)
    return finished(searching.asking, lambda: console.print(table(asyncio.run(_search(searching)), console)))


def table(passages: list[dict[str, Any]], console: Console) -> Table:
    """The passages, best first."""
    made = Table("score", "document", "heading", "passage", title=f"{len(passages)} passages", width=console.width)
    for each in passages:
        text = " ".join(each["text"].split())
        shown = text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
        made.add_row(f"{each['score']:.3f}", *map(escape, (each["document"], each["heading"], shown)))
    return made


async def _search(searching: Searching) -> list[dict[str, Any]]:
    asking = searching.asking
    gateway, timeout = gateway_url(asking), aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    async with aiohttp.ClientSession(gateway, headers=headers_for(asking.key), timeout=timeout) as session:
        agent = await agent_for(asking, session)
        body, headers = _call(asking.question, _filters(searching))
        async with session.post(f"agents/{agent}/mcp", json=body, headers=headers) as response:
            if b"jsonrpc" not in await response.read():
                await check(response)
            answer: dict[str, Any] = await response.json(content_type=None)
    if "error" in answer:
        raise CannotAsk(f"{agent}: {answer['error']['message']}")
    result = answer["result"]
    if result.get("isError"):
        raise CannotAsk("\n".join(each.get("text", "") for each in result["content"]))
    passages: list[dict[str, Any]] = result["structuredContent"]["passages"]
    return passages


def _filters(searching: Searching) -> dict[str, Any]:
    given: dict[str, Any] = {"index": searching.index} if searching.index else {}
    if searching.where:
        try:
            given["where"] = orjson.loads(searching.where)
        except orjson.JSONDecodeError as error:
            raise CannotAsk(f'--where is no JSON ({error}): write {{"field": ..., "op": ..., "value": ...}}') from error
    return given


def _call(query: str, filters: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """A call of the tool, and its headers."""
    name, method = "search_documents", "tools/call"
    arguments = {"query": query} | ({"filters": filters} if filters else {})
    meta = {f"{META}protocolVersion": REVISION, f"{META}clientCapabilities": {}}
    params = {"name": name, "arguments": arguments, "_meta": meta}
    headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": REVISION}
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, {
        **headers,
        "Mcp-Method": method,
        "Mcp-Name": name,
    }
