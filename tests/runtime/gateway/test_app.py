"""The paths of the gateway: which agent each one asks, what it refuses, and what is reported about it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

from prometheus_client import generate_latest
from yarl import URL

from slipway_runtime.gateway.auth import new_key
from slipway_runtime.gateway.routes import AgentKey, Description
from tests.runtime.gateway.conftest import ANSWER, CHAT, QUESTION, SUPPORT, Front, StartFront, StartHost
from tests.support.chat import STREAM, transcribe
from tests.support.raw_http import connected
from tests.support.waiting import until


async def test_the_default_agent(start_front: StartFront, start_host: StartHost) -> None:
    _, url = await start_host()
    front = await start_front(default_agent="demo/support")
    front.routes.set(SUPPORT, [url])
    async with front.client.post("/agent/chat", json=QUESTION) as response:
        assert (await response.json())["agent_used"] == "demo/support"


async def test_without_a_default_agent_the_value_is_named(front: Front) -> None:
    async with front.client.post("/agent/chat", json=QUESTION) as response:
        problem = await response.json()
    assert (response.status, problem["reason"]) == (404, "AgentNotFound")
    assert "gateway.defaultAgent" in problem["detail"]


async def test_the_smart_agent_is_another_one_than_the_default_agent(
    start_front: StartFront, start_host: StartHost
) -> None:
    _, url = await start_host(agents=("demo/support", "demo/smart"))
    front = await start_front(default_agent="demo/support", smart_agent="demo/smart")
    for agent in (SUPPORT, AgentKey("demo", "smart")):
        front.routes.set(agent, [url])
    for path, used in (("/smart/chat", "demo/smart"), ("/agent/chat", "demo/support")):
        async with front.client.post(path, json=QUESTION) as response:
            assert (await response.json())["agent_used"] == used
    async with front.client.post("/smart/chat", json=QUESTION, headers=STREAM) as response:
        (await transcribe(response)).assert_whole(ANSWER)


async def test_without_a_smart_agent_the_value_is_named(start_front: StartFront) -> None:
    front = await start_front(default_agent="demo/support")
    async with front.client.post("/smart/chat", json=QUESTION) as response:
        problem = await response.json()
    assert (response.status, problem["reason"]) == (404, "AgentNotFound")
    assert "gateway.smartAgent" in problem["detail"]


async def test_the_list_of_agents(front: Front) -> None:
    front.routes.set(AgentKey("demo", "billing"), [])
    front.routes.describe(
        SUPPORT, Description("langgraph", "support-1", "Ready", "Returns.", ("returns",), ("orders",), ("search",))
    )
    unknown: dict[str, object] = {
        "architecture": None,
        "revision": None,
        "health": "Unknown",
        "description": "",
        "capabilities": [],
        "knowledge": [],
        "tools": [],
    }
    known = {
        "architecture": "langgraph",
        "revision": "support-1",
        "health": "Ready",
        "description": "Returns.",
        "capabilities": ["returns"],
        "knowledge": ["orders"],
        "tools": ["search"],
    }
    async with front.client.get("/agents") as response:
        assert (await response.json())["agents"] == [
            {"namespace": "demo", "name": "billing", "ready": False, **unknown},
            {"namespace": "demo", "name": "support", "ready": True, **known},
        ]


REFUSED = [
    ("/agents/demo/nobody/chat", b'{"question": "hi"}', 404, "AgentNotFound"),
    ("/agents/other/support/chat", b'{"question": "hi"}', 404, "AgentNotFound"),
    (CHAT, b"{not json", 400, "InvalidJSON"),
    (CHAT, b"", 400, "InvalidJSON"),
    (CHAT, b"\xff\xfe", 400, "InvalidJSON"),
    (CHAT, b"[]", 422, "InvalidRequest"),
    (CHAT, b"{}", 422, "InvalidRequest"),
    (CHAT, b'{"question": ""}', 422, "InvalidRequest"),
    (CHAT, b'{"question": 7}', 422, "InvalidRequest"),
    (CHAT, b'{"question": "hi", "temperature": 1}', 422, "InvalidRequest"),
    (CHAT, b'{"question": " \\n "}', 422, "InvalidRequest"),
    (CHAT, b'{"question": "a\\u0000MARKER"}', 422, "InvalidRequest"),
    (CHAT, b'["question"]', 422, "InvalidRequest"),
    (CHAT, b"[" * 30_000, 400, "InvalidJSON"),
    (CHAT, b'{"question": "MARKER", "session_id": "../x"}', 422, "InvalidRequest"),
    (CHAT, b'{"question": "\xff"}', 415, "UnsupportedEncoding"),
    (CHAT, b'{"question": "%s"}' % (b"MARKER" * 5_500), 422, "InvalidRequest"),
    (CHAT, json.dumps({"question": "x" * 32_769}).encode(), 422, "InvalidRequest"),
    (CHAT, json.dumps({"question": "x" * 1_000_000}).encode(), 413, "QuestionTooLarge"),
    (CHAT, b'{"question": "hi", "session_id": "no-such-session"}', 404, "SessionNotFound"),
    ("/nowhere", b"", 404, "NotFound"),
    ("/livez", b"", 405, "MethodNotAllowed"),
]


async def test_refused(front: Front) -> None:
    headers = {"Content-Type": "application/json"}
    for path, body, status, reason in REFUSED:
        async with front.client.post(path, data=body, headers=headers) as response:
            problem = await response.json(content_type="application/problem+json")
        case = f"{path} {body[:40]!r}"
        assert (response.status, problem["status"], problem["reason"]) == (status, status, reason), case
        assert problem["detail"], case
        assert "MARKER" not in problem["detail"], case
    assert (await front.client.get("/livez")).status == 200


async def test_slow_bodies_of_one_caller_leave_room_for_others(
    start_front: StartFront, start_host: StartHost, tmp_path: Path
) -> None:
    path = tmp_path / "keys.json"
    (alice, alices), (bob, bobs) = new_key("alice"), new_key("bob")
    path.write_text(json.dumps({"keys": [alices.model_dump(), bobs.model_dump()]}))
    _, url = await start_host()
    front = await start_front(auth_mode="apikeys", api_keys_file=path, max_in_flight=8)
    front.routes.set(SUPPORT, [url])
    head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nX-API-Key: {alice}\r\nContent-Length: 100\r\n\r\n".encode()
    async with AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(connected(front.url)) for _ in range(20)]
        for connection in slow:
            await connection.send(head + b"{")
        refused = asyncio.gather(*(connection.reader.readuntil(b"Overloaded") for connection in slow[2:]))
        assert all(b" 429 " in answer for answer in await refused)
        assert front.gateway.bodies.taken.total() == 2
        assert front.gateway.bound.taken == 0
        for key, status in ((bob, 200), (alice, 429)):
            async with front.client.post(CHAT, data=_in_two(QUESTION), headers={"X-API-Key": key}) as response:
                assert response.status == status
    await until(lambda: not front.gateway.bodies.taken, "the places are free again")


async def _in_two(question: dict[str, str]) -> AsyncIterator[bytes]:
    body = json.dumps(question).encode()
    for half in (body[:5], body[5:]):
        yield half


async def test_a_path_with_a_slash_too_many_is_named_and_not_redirected(front: Front) -> None:
    endpoint = front.routes.pick(SUPPORT)
    assert endpoint
    for base, right in ((front.url, CHAT), (endpoint.url, f"/agents/{SUPPORT}/runs")):
        start, _, end = right.rpartition("/")
        for path in (right + "/", "/" + right, f"{start}//{end}/"):
            url = URL(base + path, encoded=True)
            async with front.client.post(url, json=QUESTION, allow_redirects=False) as response:
                problem = await response.json(content_type="application/problem+json")
            assert (response.status, problem["reason"]) == (404, "NotFound")
            assert f" {right} " in problem["detail"]
        async with front.client.get(URL(base + "/livez/"), allow_redirects=False) as response:
            assert " /livez " in (await response.json(content_type=None))["detail"]


async def test_readiness_names_what_is_missing(start_front: StartFront, tmp_path: Path) -> None:
    front = await start_front(auth_mode="apikeys", api_keys_file=tmp_path / "none.json")
    front.gateway.routes_missing = lambda: "the list of agents has not been read yet"
    async with front.client.get("/readyz") as response:
        assert response.status == 503
        missing = (await response.json())["missing"]
    assert missing[0] == "the list of agents has not been read yet"
    assert "keys.json" in missing[1]
    assert (await front.client.get("/livez")).status == 200


async def test_metrics_count_requests_by_agent_and_code(front: Front) -> None:
    async with front.client.post(CHAT, json=QUESTION) as response:
        await response.read()
    async with front.client.post(CHAT, data=b"{") as response:
        await response.read()
    async with front.client.post("/agents/demo/unknown-agent/chat", json=QUESTION) as response:
        await response.read()
    text = generate_latest().decode()
    for code in (200, 400):
        assert f'slipway_gateway_requests_total{{agent="support",code="{code}",namespace="demo"}}' in text
    assert "slipway_gateway_in_flight 0.0" in text
    assert "unknown-agent" not in text  # whoever guesses names must not fill the metrics with them
