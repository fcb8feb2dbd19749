"""`spec.access`: whom it lets in, and that it means the same on every path."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from slipway_runtime.gateway.auth import new_key
from slipway_runtime.gateway.permissions import Action, ByGroups, Policy, require
from slipway_runtime.gateway.routes import AgentAccess, AgentKey, Description, PluginKey, Reach, RouteTable, Target
from slipway_runtime.identity import Caller
from slipway_runtime.problems import Problem
from tests.runtime.gateway.conftest import SUPPORT, Front, StartFront, StartHost
from tests.support.ag_ui import asks, user
from tests.support.servers import free_port
from tests.support.serving import served

SECRET = AgentKey("demo", "secret")
STAFF = Caller("https://id.example", "ann", ("staff", "other"))
NOBODY = Caller("https://id.example", "bob")
OPEN: dict[str, Any] = {}
CLOSED = {"access": {"groups": ["staff", "leads"]}}
ONE_TOOL = {"access": {"tools": [{"name": "search_documents", "groups": ["staff"]}]}}
NO_ASKING = {"access": {"tools": [{"name": "ask", "groups": ["staff"]}]}}


def policy(spec: dict[str, Any], target: Target = SUPPORT) -> Policy:
    routes = RouteTable()
    routes.set(SUPPORT, [])
    routes.restrict(target, AgentAccess.read(spec))
    return ByGroups(routes.access)


class Row(NamedTuple):
    """What a caller without groups may do. One of the staff may do all of it."""

    spec: dict[str, Any]
    action: Action
    tool: str | None
    allowed: bool


@pytest.mark.proves("Agent.access.*")
@pytest.mark.parametrize(
    "row",
    [
        *(Row(OPEN, action, None, True) for action in Action),
        *(Row(CLOSED, action, None, False) for action in Action),
        Row(CLOSED, Action.ASK, "search_documents", False),
        Row(ONE_TOOL, Action.ASK, None, True),
        Row(ONE_TOOL, Action.ASK, "ask", True),
        Row(ONE_TOOL, Action.ASK, "search_documents", False),
        Row(ONE_TOOL, Action.LIST, "search_documents", False),
        Row(ONE_TOOL, Action.LIST, None, True),
        Row(NO_ASKING, Action.ASK, None, False),
        Row(NO_ASKING, Action.ASK, "search_documents", True),
        Row(NO_ASKING, Action.LIST, None, True),
        Row(NO_ASKING, Action.READ, None, True),
    ],
)
def test_what_groups_decide(row: Row) -> None:
    decides = policy(row.spec)
    assert decides.allows(NOBODY, row.action, SUPPORT, tool=row.tool) == row.allowed
    assert decides.allows(STAFF, row.action, SUPPORT, tool=row.tool)


def test_a_plugin_is_no_agent_of_its_name() -> None:
    plugin = PluginKey(*SUPPORT)
    decides = policy(CLOSED, plugin)
    assert decides.allows(NOBODY, Action.ASK, SUPPORT)
    with pytest.raises(Problem, match="no such plugin"):
        require(decides, NOBODY, Action.ASK, plugin, tool="convert")
    require(decides, STAFF, Action.ASK, plugin, tool="convert")
    with pytest.raises(Problem, match="no such agent"):
        require(policy(CLOSED), NOBODY, Action.ASK, SUPPORT)


def test_an_agent_that_comes_back_has_its_own_access() -> None:
    routes = RouteTable()
    routes.set(SUPPORT, [])
    routes.restrict(SUPPORT, AgentAccess.read(CLOSED))
    routes.remove(SUPPORT)
    assert routes.access(SUPPORT) == AgentAccess()


class Doors(NamedTuple):
    """A gateway with an agent for the staff, and the keys of one of them and of somebody else."""

    front: Front
    staff: str
    other: str


@pytest.fixture
async def doors(start_front: StartFront, start_host: StartHost, tmp_path: Path) -> Doors:
    (staff, its), (other, others) = new_key("ann", groups=["staff"]), new_key("bob")
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [its.model_dump(), others.model_dump()]}))
    _, url = await start_host(agents=("demo/support", "demo/secret"))
    chosen = {"default_agent": "demo/secret", "smart_agent": "demo/secret", "hold_seconds": 0.1}
    front = await start_front(auth_mode="apikeys", api_keys_file=path, **chosen)
    for agent in (SUPPORT, SECRET):
        front.routes.set(agent, [url])
    front.routes.restrict(SECRET, AgentAccess.read(CLOSED))
    return Doors(front, staff, other)


class Way(NamedTuple):
    """A way to an agent, on some protocol."""

    method: str
    path: str
    body: dict[str, Any] | None = None


QUESTION = {"question": "say 2 words"}
OF_OPENAI = {"messages": [{"role": "user", "content": "say 2 words"}]}
RUN = "a" * 32


def rpc(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


OF_AG_UI = asks(user("say 2 words"))
OF_A2A = rpc("SendMessage", message={"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "say 2 words"}]})
OF_MCP = rpc("tools/call", name="ask", arguments={"question": "say 2 words"})
WAYS = [
    Way("POST", f"/agents/{SECRET}/chat", QUESTION),
    Way("POST", "/agent/chat", QUESTION),
    Way("POST", "/smart/chat", QUESTION),
    Way("POST", "/v1/chat/completions", {"model": str(SECRET), **OF_OPENAI}),
    Way("POST", "/v1/chat/completions", {"model": "auto", **OF_OPENAI}),
    Way("GET", f"/v1/models/{SECRET}"),
    Way("GET", "/v1/models/auto"),
    Way("GET", f"/agents/{SECRET}/runs"),
    Way("GET", f"/agents/{SECRET}/runs/{RUN}"),
    Way("DELETE", f"/agents/{SECRET}/runs/{RUN}"),
    Way("POST", f"/agents/{SECRET}/runs/{RUN}/input/i", {"approved": True}),
    Way("GET", f"/agents/{SECRET}/sessions/s"),
    Way("DELETE", f"/agents/{SECRET}/sessions/s"),
    Way("POST", f"/agents/{SECRET}/ag-ui", OF_AG_UI),
    Way("POST", f"/agents/{SECRET}/a2a", OF_A2A),
    Way("POST", f"/agents/{SECRET}/a2a", rpc("GetTask", id=RUN)),
    Way("POST", f"/agents/{SECRET}/a2a/message:send", OF_A2A["params"]),
    Way("GET", f"/agents/{SECRET}/a2a/tasks/{RUN}"),
    Way("GET", f"/agents/{SECRET}/a2a/.well-known/agent-card.json"),
    Way("GET", "/.well-known/agent-card.json"),
    Way("POST", f"/agents/{SECRET}/mcp", rpc("tools/list")),
    Way("POST", f"/agents/{SECRET}/mcp", OF_MCP),
]
"""Every way on which an agent is named, or meant."""


async def answer(doors: Doors, key: str, way: Way) -> tuple[int, str]:
    headers = {"X-API-Key": key, "Accept": "application/json, text/event-stream", "A2A-Version": "1.0"}
    async with doors.front.client.request(way.method, way.path, json=way.body, headers=headers) as response:
        return response.status, await response.text()


NOT_THERE = ("AgentNotFound", "model_not_found", "there is no such agent")


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way.method} {way.path}")
async def test_an_agent_for_a_group_is_there_for_its_members_only(doors: Doors, way: Way) -> None:
    status, text = await answer(doors, doors.other, way)
    assert (status, any(word in text for word in NOT_THERE)) == (404, True), text
    status, text = await answer(doors, doors.staff, way)
    assert not any(word in text for word in NOT_THERE), text


async def test_lists_show_what_a_caller_may_use(doors: Doors) -> None:
    for key, known in ((doors.staff, ["secret", "support"]), (doors.other, ["support"])):
        headers = {"X-API-Key": key}
        async with doors.front.client.get("/agents", headers=headers) as response:
            assert [each["name"] for each in (await response.json())["agents"]] == known
        async with doors.front.client.get("/v1/models", headers=headers) as response:
            models = [each["id"] for each in (await response.json())["data"] if each["id"] != "auto"]
            assert models == [f"demo/{name}" for name in known]


async def mcp_result(doors: Doors, key: str, name: str, **arguments: str) -> dict[str, Any]:
    """What a tool of `support` gives."""
    way = Way("POST", f"/agents/{SUPPORT}/mcp", rpc("tools/call", name=name, arguments=arguments))
    headers = {"X-API-Key": key, "Accept": "application/json"}
    async with doors.front.client.post(way.path, json=way.body, headers=headers) as response:
        result: dict[str, Any] = (await response.json())["result"]
        assert "isError" not in result, result
        return result


async def test_a_task_is_analysed_among_the_members_that_its_caller_may_ask(doors: Doors) -> None:
    async def analysis(request: Request) -> Response:
        told = await request.json()
        return JSONResponse({"members": [each["name"] for each in told["members"]]})

    routes = doors.front.routes
    routes.describe(SUPPORT, Description(), Reach(frozenset({SUPPORT, SECRET}), 60.0))
    async with served(Starlette(routes=[Route(f"/agents/{SUPPORT}/analysis", analysis, methods=["POST"])])) as url:
        routes.set(SUPPORT, [url])
        for key, members in ((doors.staff, ["secret", "support"]), (doors.other, ["support"])):
            result = await mcp_result(doors, key, "analyze_task", question="Who knows?")
            assert result["structuredContent"] == {"members": members}


async def test_an_answer_links_to_no_document_that_its_caller_may_not_read(doors: Doors) -> None:
    doors.front.routes.describe(SUPPORT, Description(knowledge=("handbook",)))
    doors.front.routes.restrict(SUPPORT, AgentAccess.read(ONE_TOOL))
    for key, linked in ((doors.staff, True), (doors.other, False)):
        result = await mcp_result(doors, key, "ask", question="say 2 words and cite")
        (source,) = result["structuredContent"]["sources"]
        assert (source["document"], "uri" in source) == ("tea.md", linked)
        assert any(each["type"] == "resource_link" for each in result["content"]) == linked


FEDERATED = Way("POST", "/mcp", rpc("tools/list"))
ITS_TOOL = Way("POST", "/mcp", rpc("tools/call", name="secret__ask", arguments={"question": "say 2 words"}))


async def test_the_federated_server_has_what_a_caller_may_use(doors: Doors) -> None:
    assert "secret__ask" in (await answer(doors, doors.staff, FEDERATED))[1]
    assert "secret" not in (await answer(doors, doors.other, FEDERATED))[1]
    assert "word1" in (await answer(doors, doors.staff, ITS_TOOL))[1]
    assert "word1" not in (await answer(doors, doors.other, ITS_TOOL))[1]


ASKING = [
    *(WAYS[number] for number in range(5)),
    Way("POST", f"/agents/{SECRET}/ag-ui", OF_AG_UI),
    Way("POST", f"/agents/{SECRET}/a2a", OF_A2A),
    Way("POST", f"/agents/{SECRET}/a2a/message:send", OF_A2A["params"]),
    Way("POST", f"/agents/{SECRET}/mcp", OF_MCP),
    ITS_TOOL,
]
"""Every way to ask a question."""


@pytest.mark.parametrize("way", ASKING, ids=lambda way: f"{way.method} {way.path}")
async def test_who_may_not_ask_may_not_do_so_on_any_protocol(doors: Doors, way: Way) -> None:
    """The tool `ask` is the same as asking, however that is done."""
    doors.front.routes.restrict(SECRET, AgentAccess.read(NO_ASKING))
    assert "word1" in (await answer(doors, doors.staff, way))[1]
    assert "word1" not in (await answer(doors, doors.other, way))[1]
    async with doors.front.client.get("/agents", headers={"X-API-Key": doors.other}) as response:
        assert "secret" in [each["name"] for each in (await response.json())["agents"]], "it may be seen"


@pytest.mark.parametrize("way", [*WAYS, ITS_TOOL], ids=lambda way: f"{way.method} {way.path}")
async def test_a_credential_goes_no_further_than_the_gateway(doors: Doors, way: Way) -> None:
    """The pod is anything that listens: it gets no key, no token and no cookie, in whichever header they came."""
    got = bytearray()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: ([0-9]+)", head.lower())
        got.extend(head + await reader.readexactly(int(length[1]) if length else 0))
        writer.close()

    port = free_port()
    async with await asyncio.start_server(listen, "127.0.0.1", port):
        for agent in (SUPPORT, SECRET):
            doors.front.routes.set(agent, [f"http://127.0.0.1:{port}"])
        headers = {
            "X-API-Key": doors.staff,
            "Authorization": "Bearer a-marker",
            "Cookie": "a=a-marker",
            "Proxy-Authorization": "Basic a-marker",
            "X-Slipway-Identity": "a-marker",
        }
        async with doors.front.client.request(way.method, way.path, json=way.body, headers=headers) as response:
            await response.read()
    assert doors.staff.encode() not in got
    assert b"a-marker" not in got


async def test_groups_that_an_agent_asks_for_may_change(doors: Doors) -> None:
    doors.front.routes.restrict(SECRET, AgentAccess())
    assert (await answer(doors, doors.other, WAYS[0]))[0] == 200
