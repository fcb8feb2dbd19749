"""What is refused, and how: strictly, since what a policy reads must be what is done."""

import json
from pathlib import Path
from typing import Any

import pytest

from slipway_runtime.gateway.routes import Description, Offer
from slipway_runtime.protocols.mcp.messages import MESSAGE_BYTES
from tests.runtime.gateway.conftest import SUPPORT, Front, StartFront, StartHost
from tests.support.mcp_wire import LEGACY, MODERN, Json, Wire, ask, modern, request

MCP = f"/agents/{SUPPORT}/mcp"
LIST = request("tools/list")


def raw(text: str) -> bytes:
    return text.encode()


BODIES = [
    (json.dumps([LIST]).encode(), 400, -32600),
    (b"[]", 400, -32600),
    (b'"tools/list"', 400, -32600),
    (b"{", 400, -32700),
    (b"", 400, -32700),
    (b"\xff\xfe\x00", 415, -32603),
    (raw('{"jsonrpc": "2.0", "id": 1, "method": "ping", "method": "tools/list"}'), 400, -32600),
    (
        raw('{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "ask", "name": "analyze_task"}}'),
        400,
        -32600,
    ),
    (raw('{"id": 1, "method": "ping"}'), 400, -32600),
    (raw('{"jsonrpc": "2.0", "id": null, "method": "ping"}'), 400, -32600),
    (raw('{"jsonrpc": "2.0", "id": true, "method": "ping"}'), 400, -32600),
    (raw('{"jsonrpc": "2.0", "id": 1.5, "method": "ping"}'), 400, -32600),
    (raw('{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []}'), 400, -32600),
    (raw('{"jsonrpc": "2.0", "id": 1}'), 400, -32600),
    (raw('{"jsonrpc": "2.0", "id": 1, "result": {}, "error": {}}'), 400, -32600),
    (raw('{"jsonrpc": "2.0", "id": 1, "result": {}}'), 400, -32600),
    (json.dumps(request("ping", id="x" * 257)).encode(), 400, -32600),
    (json.dumps(request("tools/call", {"arguments": {}})).encode(), 200, -32602),
    (json.dumps(request("tools/call", {"name": "nothing"})).encode(), 200, -32602),
    (json.dumps(request("resources/subscribe", {"uri": "x:y"})).encode(), 200, -32601),
    (json.dumps(request("odd/method")).encode(), 200, -32601),
]


@pytest.mark.parametrize(("body", "status", "code"), BODIES)
async def test_a_message_that_is_none(front: Front, body: bytes, status: int, code: int) -> None:
    async with Wire(front.client, MCP).post(body) as response:
        assert (response.status, (await response.json())["error"]["code"]) == (status, code)


@pytest.mark.parametrize("kind", ["text/plain", "application/json-rpc", "", None])
async def test_another_media_type(front: Front, kind: str | None) -> None:
    async with Wire(front.client, MCP).post(LIST, Content_Type=kind) as response:
        assert response.status == 415


async def test_a_message_that_is_too_long(front: Front) -> None:
    async with Wire(front.client, MCP).post(ask("x" * MESSAGE_BYTES)) as response:
        assert response.status == 413
        assert "QuestionTooLarge" in await response.text()


HEADERS: list[tuple[Json, int]] = [
    ({"MCP_Protocol_Version": LEGACY}, -32020),
    ({"MCP_Protocol_Version": None}, -32020),
    ({"Mcp_Method": "tools/list"}, -32020),
    ({"Mcp_Method": None}, -32020),
    ({"Mcp_Name": "analyze_task"}, -32020),
    ({"Mcp_Name": None}, -32020),
    ({"Mcp_Name": "=?base64?YXNr?="}, 0),
    ({"Mcp_Name": "=?base64?YXN=?="}, -32020),
    ({"Mcp_Name": "  ask "}, 0),
]


@pytest.mark.parametrize(("changed", "code"), HEADERS)
async def test_header_and_body_agree(front: Front, changed: Json, code: int) -> None:
    message, headers = modern(ask("say 1 words"))
    sent = {name.replace("-", "_"): value for name, value in headers.items()} | changed
    async with Wire(front.client, MCP).post(message, **{k: v for k, v in sent.items()}) as response:
        streams = response.content_type == "text/event-stream"
        found = 0 if streams else (await response.json())["error"]["code"]
        assert (response.status, found) == ((400 if code else 200), code)


async def test_an_unknown_version(front: Front) -> None:
    message, headers = modern(LIST)
    message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2030-01-01"
    async with Wire(front.client, MCP).post(message, **headers | {"MCP-Protocol-Version": "2030-01-01"}) as response:
        error = (await response.json())["error"]
    assert (response.status, error["code"]) == (400, -32022)
    assert error["data"] == {"supported": [MODERN], "requested": "2030-01-01"}
    async with Wire(front.client, MCP).post({"jsonrpc": "2.0", "method": "notifications/odd"}) as response:
        assert response.status == 202


@pytest.mark.parametrize("session", ["odd", "x" * 300, "A" * 20_000])
async def test_a_session_that_was_not_given(front: Front, session: str) -> None:
    async with Wire(front.client, MCP).post(LIST, Mcp_Session_Id=session[:16_000]) as response:
        assert response.status == 404
        assert (await response.json())["id"] == 1


async def test_methods_that_are_not_served(front: Front) -> None:
    wire = Wire(front.client, MCP)
    for method in ("GET", "DELETE"):
        async with front.client.request(method, MCP, headers=wire.headers) as response:
            assert (response.status, response.headers["Allow"]) == (405, "GET, POST")


async def test_pages_of_other_origins_may_not_ask(start_front: StartFront, start_host: StartHost) -> None:
    _, url = await start_host()
    front = await start_front(allowed_origins=("https://console.example.com",))
    front.routes.set(SUPPORT, [url])
    wire = Wire(front.client, MCP)
    for origin, status in (
        ("https://evil.example.com", 403),
        ("null", 403),
        ("https://console.example.com", 200),
        (None, 200),
    ):
        async with wire.post(LIST, Origin=origin) as response:
            assert response.status == status


async def test_a_stranger_gets_401(start_front: StartFront, tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text('{"keys": []}')
    front = await start_front(auth_mode="apikeys", api_keys_file=tmp_path / "keys.json")
    for path in ("/mcp", MCP):
        async with Wire(front.client, path).post(LIST) as response:
            assert response.status == 401
            assert response.headers["WWW-Authenticate"].startswith("Bearer")


async def test_an_agent_that_is_not_there(front: Front) -> None:
    async with Wire(front.client, "/agents/demo/nobody/mcp").post(LIST) as response:
        assert (response.status, (await response.json())["error"]["data"]["reason"]) == (404, "AgentNotFound")


async def test_a_tool_that_waits_for_a_person_is_none_of_a_clients(front: Front) -> None:
    described = Description(knowledge=("handbook",))
    names: list[set[str]] = []
    for approvals in ([], [{"tool": "search_documents"}, {"tool": "web_search"}]):
        front.routes.describe(SUPPORT, described, offer=Offer.read({"webSearch": {}, "approvals": approvals}))
        async with Wire(front.client, MCP).post(LIST) as response:
            found: Any = await response.json()
            names.append({each["name"] for each in found["result"]["tools"]})
    always = {"ask", "analyze_task", "create_workflow"}
    assert names == [always | {"search_documents", "web_search"}, always]
    async with Wire(front.client, MCP).post(
        request("tools/call", {"name": "web_search", "arguments": {"query": "x"}})
    ) as response:
        assert (await response.json())["error"]["code"] == -32602
