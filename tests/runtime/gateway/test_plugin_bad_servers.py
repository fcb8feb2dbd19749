"""Servers of plugins that list too much, answer too much or too often, or change while they are used."""

import json
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.server.lowlevel import Server
from mcp_types import CallToolResult, ListToolsResult, TextContent, Tool
from starlette.responses import JSONResponse, Response

from slipway_runtime.circuit import FAILURES
from slipway_runtime.gateway.routes import PluginKey
from slipway_runtime.plugins.server import ServerFailed
from tests.runtime.gateway.conftest import Front, StartFront
from tests.runtime.gateway.test_plugins import HERE, MODES, TOOLS, Mode, call, plug, texts
from tests.support.mcp_servers import Application, OnlyLegacy, OnlyModern, application, listing, upstream
from tests.support.servers import free_port
from tests.support.serving import served

ERAS: tuple[Any, ...] = (None, OnlyLegacy, OnlyModern)
OTHER: dict[Mode, type[OnlyLegacy] | type[OnlyModern]] = {"2026-07-28": OnlyLegacy, "legacy": OnlyModern}


async def listed(url: str, mode: Mode) -> list[str]:
    """The names on all pages."""
    names: list[str] = []
    async with Client(url, mode=mode) as client:
        page = await client.list_tools()
        names += [tool.name for tool in page.tools]
        while page.next_cursor:
            page = await client.list_tools(cursor=page.next_cursor)
            names += [tool.name for tool in page.tools]
    return names


async def report(front: Front) -> dict[str, Any]:
    """What the operator gets to know, once the server was looked at."""
    plugin = front.gateway.plugins.get(TOOLS)
    assert plugin is not None
    await plugin.look()
    told: dict[str, Any] = json.loads(front.gateway.plugins.status_at("/plugins/demo/tools") or b"")
    return told


@pytest.mark.parametrize("page", [100_000, 600], ids=["at-once", "in-pages"])
async def test_of_ten_thousand_tools_the_first_thousand_are_used(
    start_front: StartFront, stack: AsyncExitStack, page: int
) -> None:
    names = [f"tool-{number}" for number in range(10_000)]
    front = await start_front()
    url = await plug(stack, front, listing(names, page=page))
    told = await report(front)
    assert told["toolCount"] == 1000
    assert told["note"].startswith("9000 tools beyond the first 1000 are left out")
    assert len(json.dumps(told)) < 4096
    for mode in MODES:
        assert await listed(url, mode) == names[:1000]
        assert set(await listed(f"{front.url}/mcp", mode)) == {f"tools__{name}" for name in names[:1000]}


@pytest.mark.parametrize("mode", MODES)
async def test_tools_without_a_usable_name_are_left_out_and_no_two_share_one(
    start_front: StartFront, stack: AsyncExitStack, mode: Mode
) -> None:
    names = ["well", "well", "not a name", "", "ümlaut", "x" * 129, "a\nb", "issues.list", "issues_list"]
    front = await start_front()
    url = await plug(stack, front, listing(names))
    told = await report(front)
    assert told["note"] == "5 tools have no name that MCP allows; 1 tools have the name of another one"
    assert await listed(url, mode) == ["well", "issues.list", "issues_list"]
    async with Client(f"{front.url}/mcp", mode=mode) as client:
        shown = [tool.name for tool in (await client.list_tools()).tools]
        assert len(set(shown)) == 3
        called = [texts(await client.call_tool(name, {})) for name in shown]
    assert sorted(called) == [["issues.list"], ["issues_list"], ["well"]]


OBJECT = {"type": "object"}
SCHEMAS: tuple[Any, ...] = ("str", [], None, {}, {"type": "array"})
WRONG: dict[str, Any] = {
    "description": 5,
    "annotations": "x",
    "outputSchema": 5,
    "icons": "x",
    "title": [],
    "_meta": 1,
}
MALFORMED: list[dict[str, Any]] = [
    {},
    *({"inputSchema": schema} for schema in SCHEMAS),
    *({"inputSchema": OBJECT, name: value} for name, value in WRONG.items()),
]


def lists_malformed(only: Any) -> Application:
    """A server of one era whose list has one good tool, one that only 2026-07-28 has, and many that nobody can read."""
    good = {"name": "good", "inputSchema": OBJECT, "description": None, "from-the-future": 1}
    newer = {"name": "newer", "inputSchema": OBJECT, "outputSchema": {"type": "array"}}
    tools = [good, newer, *({"name": f"bad-{number}", **each} for number, each in enumerate(MALFORMED))]
    app = listing(["good"])

    async def answered(scope: Any, receive: Any, send: Any) -> None:
        message = await receive() if scope["type"] == "http" else {}
        if b'"tools/list"' in message.get("body", b""):
            result = {"tools": tools, "resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
            asked = json.loads(message["body"])["id"]
            await JSONResponse({"jsonrpc": "2.0", "id": asked, "result": result})(scope, receive, send)
            return
        first = iter([message])

        async def again() -> Any:
            return next(first, None) or await receive()

        await app(scope, again if scope["type"] == "http" else receive, send)

    return only(answered)  # type: ignore[no-any-return]


@pytest.mark.parametrize("only", [OnlyLegacy, OnlyModern], ids=["sessions", "modern"])
@pytest.mark.parametrize("mode", MODES)
async def test_malformed_tools_are_left_out_and_cost_the_other_servers_nothing(
    start_front: StartFront, stack: AsyncExitStack, mode: Mode, only: Any
) -> None:
    front = await start_front()
    await plug(stack, front, listing(["echo"]), name="healthy")
    url = await plug(stack, front, lists_malformed(only))
    healthy = front.gateway.plugins.get(PluginKey("demo", "healthy"))
    assert healthy is not None
    await healthy.look()
    told = await report(front)
    newer_too = only is OnlyModern
    assert told["tools"] == (["good", "newer"] if newer_too else ["good"])
    assert told["note"] == (
        f"{len(MALFORMED) + (not newer_too)} tools are malformed: "
        "MCP does not allow their _meta, annotations, description, icons, inputSchema, outputSchema, title"
    )
    async with Client(url, mode=mode) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == (
            ["good"] if mode == "legacy" else ["good", "newer"]
        )
        assert texts(await client.call_tool("good", {})) == ["good"]
    async with Client(f"{front.url}/mcp", mode=mode) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert names == {"healthy__echo", "tools__good"} | (
            {"tools__newer"} if newer_too and mode != "legacy" else set()
        )
        assert texts(await client.call_tool("healthy__echo", {})) == ["echo"]
        assert texts(await client.call_tool("tools__good", {})) == ["good"]


PROGRESS = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "soon"}}
STRANGE = {"jsonrpc": "2.0", "id": "of-another", "result": {"resultType": "complete", "content": []}}
ENDS: dict[str, tuple[bool, list[dict[str, Any]]]] = {
    "a notification": (True, [PROGRESS]),
    "nothing": (True, []),
    "another's answer": (True, [PROGRESS, STRANGE]),
    "another's answer as JSON": (False, [STRANGE]),
}
"""What a server's answer has in it, and whether that is a stream."""


class Unanswering:
    """Ends the answer to each call of a tool without having answered."""

    def __init__(self, app: Application, case: str) -> None:
        self._app = app
        self._stream, self._messages = ENDS[case]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive() if scope["type"] == "http" else {}
        first = iter([message])

        async def again() -> Any:
            return next(first, None) or await receive()

        if b'"tools/call"' not in message.get("body", b""):
            await self._app(scope, again if scope["type"] == "http" else receive, send)
        elif self._stream:
            events = [b"data: " + json.dumps(each).encode() + b"\n\n" for each in self._messages]
            await Response(b"".join(events), media_type="text/event-stream")(scope, receive, send)
        else:
            await JSONResponse(self._messages[0])(scope, receive, send)


@pytest.mark.parametrize("only", [OnlyLegacy, OnlyModern], ids=["sessions", "modern"])
@pytest.mark.parametrize("case", ENDS)
async def test_a_server_that_ends_without_an_answer_is_named_in_an_error(
    start_front: StartFront, stack: AsyncExitStack, case: str, only: Any
) -> None:
    front = await start_front()
    url = await plug(stack, front, Unanswering(only(listing(["echo"])), case))
    await report(front)
    headers, body = call("echo")
    async with front.client.post(url, json=body, headers=headers) as response:
        text = await response.text()
    events = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")] or [text]
    answer = json.loads(events[-1])
    assert (answer["id"], answer["error"]["data"]["reason"]) == (7, "InvalidAnswer"), text
    async with Client(f"{front.url}/mcp", mode="2026-07-28") as client:
        with pytest.raises(MCPError, match="server of plugin demo/tools"):
            await client.call_tool("tools__echo", {})
    if only is OnlyModern:
        async with Client(url, mode="legacy") as client:
            with pytest.raises(MCPError, match="server of plugin demo/tools"):
                await client.call_tool("echo", {})


class Twice:
    """Answers each call of a tool twice in one stream: first with `first`, then with `second`."""

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive() if scope["type"] == "http" else {}
        first = iter([message])

        async def again() -> Any:
            return next(first, None) or await receive()

        if b'"tools/call"' not in message.get("body", b""):
            await self._app(scope, again if scope["type"] == "http" else receive, send)
            return
        asked = json.loads(message["body"])["id"]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        for text in ("first", "second"):
            result = {"resultType": "complete", "content": [{"type": "text", "text": text}]}
            event = json.dumps({"jsonrpc": "2.0", "id": asked, "result": result}).encode()
            await send({"type": "http.response.body", "body": b"data: " + event + b"\n\n", "more_body": True})
        await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize("only", ERAS, ids=["both", "sessions", "modern"])
@pytest.mark.parametrize("mode", MODES)
async def test_the_first_of_two_answers_counts(
    start_front: StartFront, stack: AsyncExitStack, mode: Mode, only: Any
) -> None:
    app = listing(["echo"])
    front = await start_front()
    url = await plug(stack, front, Twice(only(app) if only else app))
    await report(front)
    async with Client(url, mode=mode) as client:
        for _ in range(2):
            assert texts(await client.call_tool("echo", {})) == ["first"]
        assert [tool.name for tool in (await client.list_tools()).tools] == ["echo"]
    async with Client(f"{front.url}/mcp", mode=mode) as client:
        assert texts(await client.call_tool("tools__echo", {})) == ["first"]


@pytest.mark.parametrize("mode", MODES)
async def test_a_server_may_change_its_tools_while_one_is_called(
    start_front: StartFront, stack: AsyncExitStack, mode: Mode
) -> None:
    names: list[str] = ["swap", "old"]

    async def on_list_tools(_: Any, __: Any) -> ListToolsResult:
        return ListToolsResult(tools=[Tool(name=name, input_schema={"type": "object"}) for name in names])

    async def on_call_tool(_: Any, params: Any) -> CallToolResult:
        if params.name == "swap":
            names[:] = ["swap", "new"]
        known = params.name in names
        return CallToolResult(content=[TextContent(text="done" if known else "no such tool")], is_error=not known)

    app = Server("changing", on_list_tools=on_list_tools, on_call_tool=on_call_tool).streamable_http_app()
    front = await start_front()
    url = await plug(stack, front, app)
    await report(front)
    async with Client(url, mode=mode) as client, Client(f"{front.url}/mcp", mode=mode) as all_tools:
        assert texts(await client.call_tool("swap", {})) == ["done"]
        assert [tool.name for tool in (await client.list_tools()).tools] == ["swap", "new"]
        assert (await client.call_tool("old", {})).is_error
        assert texts(await client.call_tool("new", {})) == ["done"]
        assert (await all_tools.call_tool("tools__old", {})).is_error, "as long as the gateway has not looked again"
        assert (await report(front))["tools"] == ["new", "swap"]
        assert {tool.name for tool in (await all_tools.list_tools()).tools} == {"tools__new", "tools__swap"}
        with pytest.raises(MCPError, match="no tool"):
            await all_tools.call_tool("tools__old", {})


@pytest.mark.parametrize("mode", MODES)
async def test_an_answer_that_is_too_long_ends_in_an_error_and_costs_the_others_nothing(
    start_front: StartFront, stack: AsyncExitStack, mode: Mode
) -> None:
    """Where the gateway has to read it. An answer that passes as it is may have any length: it is never held whole."""
    size = 9 * 2**20
    front = await start_front()
    same = await plug(stack, front, listing(["long", "echo"], bytes_of=size))
    other = await plug(stack, front, OTHER[mode](listing(["long", "echo"], bytes_of=size)), name="other")
    for name in ("tools", "other"):
        plugin = front.gateway.plugins.get(PluginKey("demo", name))
        assert plugin is not None
        await plugin.look()
    headers, body = call("long")
    async with front.client.post(same, json=body, headers=headers) as response:
        assert len(await response.read()) > size
    for url, prefix in ((other, ""), (f"{front.url}/mcp", "tools__"), (f"{front.url}/mcp", "other__")):
        async with Client(url, mode=mode) as client:
            with pytest.raises(MCPError, match=r"more than [48] MiB"):
                await client.call_tool(f"{prefix}long", {})
            assert texts(await client.call_tool(f"{prefix}echo", {})) == ["echo"]


async def test_a_list_of_tools_that_is_too_long_is_refused(start_front: StartFront, stack: AsyncExitStack) -> None:
    front = await start_front()
    names = [f"{number:0128d}" for number in range(60_000)]
    url = await plug(stack, front, listing(names))
    headers, body = call("echo")
    async with front.client.post(url, json=body, headers=headers) as response:
        error = (await response.json())["error"]
    assert (response.status, error["data"]["reason"]) == (502, "AnswerTooLarge")


async def test_callers_are_not_told_where_a_server_is_and_the_status_is(start_front: StartFront) -> None:
    front = await start_front()
    dead = f"http://127.0.0.1:{free_port()}/mcp"
    front.gateway.plugins.set(TOOLS, upstream(dead, "tools"), HERE)
    plugin = front.gateway.plugins.get(TOOLS)
    assert plugin is not None
    with pytest.raises(ServerFailed):
        await plugin.look()
    assert plugin.report is not None
    assert "127.0.0.1" in plugin.report.error
    headers, body = call("echo", text="hello")
    for _ in range(8):  # until it is left alone
        async with front.client.post("/plugins/demo/tools/mcp", json=body, headers=headers) as response:
            error = (await response.json())["error"]
        assert "127.0.0.1" not in json.dumps(error), error
        assert error["data"]["reason"] in ("ServerUnreachable", "ServerLeftAlone")
    assert error["data"]["reason"] == "ServerLeftAlone"
    assert "the status of the Plugin says more" in error["message"]


async def test_a_plugin_answers_as_soon_as_its_pod_is_there(start_front: StartFront, stack: AsyncExitStack) -> None:
    """A connection that is refused costs no time, so a pod that takes long to start is not left alone."""
    front, port = await start_front(), free_port()
    connector = replace(upstream(f"http://127.0.0.1:{port}/mcp", "tools"), connector=True)
    front.gateway.plugins.set(TOOLS, connector, HERE)
    headers, body = call("echo", text="hello")

    async def answer() -> dict[str, Any]:
        async with front.client.post("/plugins/demo/tools/mcp", json=body, headers=headers) as response:
            return dict(await response.json())

    for _ in range(FAILURES + 1):
        assert (await answer())["error"]["data"]["reason"] == "ServerUnreachable"
    await stack.enter_async_context(served(application(), port=port))
    assert "result" in await answer()
