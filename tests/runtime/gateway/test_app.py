"""What a client of the gateway gets, over real hosts: answers, streams, sessions, and every way to be refused."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client import generate_latest
from yarl import URL

from slipway_runtime.events import Started
from slipway_runtime.gateway.auth import new_key
from slipway_runtime.gateway.routes import AgentKey, Description
from slipway_runtime.identity import HEADER, Caller, IdentitySigner
from tests.runtime.gateway.conftest import CHAT, SUPPORT, Front, StartFront, StartHost
from tests.support.asking import ask_json
from tests.support.chat import STREAM, events, transcribe
from tests.support.raw_http import connected
from tests.support.scripted_host import words
from tests.support.waiting import until, until_async

QUESTION = {"question": "say 5 words"}
ANSWER = "".join(words(5))


async def test_an_answer_as_json(front: Front) -> None:
    async with front.client.post(CHAT, json=QUESTION) as response:
        assert response.status == 200
        answer = await response.json()
    assert answer["answer"] == ANSWER
    assert answer["agent_used"] == "demo/support"
    assert answer["abstained"] is False
    assert answer["session_id"]
    assert answer["run_id"]


async def test_an_answer_as_a_stream(front: Front) -> None:
    async with front.client.post(CHAT, json=QUESTION, headers=STREAM) as response:
        transcript = await transcribe(response)
        assert response.headers["X-Accel-Buffering"] == "no"
        assert response.headers["Cache-Control"].startswith("no-")
    transcript.assert_whole(ANSWER)
    assert transcript.restarts == 0


@pytest.mark.parametrize(
    ("accept", "streams"),
    [
        ("application/json, text/event-stream", True),
        ("Text/Event-Stream;q=0.1", True),
        ("text/event-stream;q=0", False),
        ("application/json, text/event-stream; q=0.000", False),
        ("text/event-streams", False),
        ("*/*", False),
    ],
)
async def test_a_stream_is_for_those_that_accept_one(front: Front, accept: str, streams: bool) -> None:
    async with front.client.post(CHAT, json=QUESTION, headers={"accept": accept}) as response:
        assert (response.content_type == "text/event-stream") == streams


async def test_a_failed_run_is_a_problem_or_an_event(front: Front) -> None:
    async with front.client.post(CHAT, json={"question": "fail"}) as response:
        problem = await response.json(content_type="application/problem+json")
        assert (response.status, problem["reason"]) == (500, "InternalError")
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    async with front.client.post(CHAT, json={"question": "fail"}, headers=STREAM) as response:
        assert (response.status, (await transcribe(response)).last.type) == (200, "failed")


async def test_connections_to_pods_are_used_again(
    stack: AsyncExitStack, start_front: StartFront, start_host: StartHost
) -> None:
    _, url = await start_host()
    opened: list[str] = []
    front = await start_front()
    front.routes.set(SUPPORT, [url])
    connector = front.gateway.upstreams._session.connector
    assert connector
    create = connector._create_connection

    async def counted(*arguments: Any, **more: Any) -> Any:
        opened.append(url)
        return await create(*arguments, **more)

    connector._create_connection = counted  # type: ignore[method-assign]
    for headers in ({}, STREAM, {}, STREAM):
        async with front.client.post(CHAT, json=QUESTION, headers=headers) as response:
            await response.read()
        await until(lambda: front.gateway.bound.taken == 0, "the request has ended")
    assert len(opened) == 1


async def test_a_stream_is_passed_on_as_it_comes(start_front: StartFront, start_host: StartHost) -> None:
    _, url = await start_host(delta_delay=0.05)
    front = await start_front()
    front.routes.set(SUPPORT, [url])
    async with front.client.post(CHAT, json={"question": "say 100 words"}, headers=STREAM) as response:
        stream = events(response)
        seen = [await anext(stream) for _ in range(4)]
        run = seen[-1][0].run
        endpoint = front.routes.pick(SUPPORT)
        assert endpoint
        assert endpoint.in_flight == 1
        started = seen[0][1]
        assert isinstance(started, Started)
        async with front.client.get(f"/agents/{SUPPORT}/sessions/{started.session_id}") as session:
            assert (await session.json())["turns"][0]["run_id"] == run


async def test_a_conversation_goes_on(front: Front) -> None:
    async with front.client.post(CHAT, json=QUESTION) as response:
        session = (await response.json())["session_id"]
    async with front.client.post(CHAT, json={**QUESTION, "session_id": session}) as response:
        assert (await response.json())["session_id"] == session
    path = f"/agents/{SUPPORT}/sessions/{session}"
    async with front.client.get(path) as response:
        assert [turn["answer"] for turn in (await response.json())["turns"]] == [ANSWER, ANSWER]
    async with front.client.delete(path) as response:
        assert response.status == 204
    async with front.client.get(path) as response:
        assert (response.status, (await response.json())["reason"]) == (404, "SessionNotFound")


async def test_a_run_is_read_again_from_anywhere_in_it(front: Front) -> None:
    async with front.client.post(CHAT, json=QUESTION, headers=STREAM) as response:
        whole = await transcribe(response)
    run = whole.ids[0].run
    for position, number in enumerate(whole.ids[:-1]):
        headers = {**STREAM, "Last-Event-ID": str(number)}
        async with front.client.get(f"/agents/{SUPPORT}/runs/{run}", headers=headers) as response:
            assert (await transcribe(response)).events == whole.events[position + 1 :]
    async with front.client.get(f"/agents/{SUPPORT}/runs/{run}") as response:
        assert (await response.json())["answer"] == ANSWER


async def test_a_client_that_goes_leaves_a_run_that_is_finished(start_front: StartFront, start_host: StartHost) -> None:
    host, url = await start_host(delta_delay=0.05)
    front = await start_front()
    front.routes.set(SUPPORT, [url])
    async with front.client.post(CHAT, json={"question": "say 30 words"}, headers=STREAM) as response:
        number, _ = await anext(events(response))
    endpoint = front.routes.pick(SUPPORT)
    assert endpoint
    await until(lambda: endpoint.in_flight == 0, "the gateway let go of the pod")
    await until(lambda: front.gateway.bound.taken == 0, "the slot is free again")
    assert host.runs.in_flight == 1
    async with front.client.get(f"/agents/{SUPPORT}/runs/{number.run}") as response:
        assert (await response.json())["answer"] == "".join(words(30))


async def test_a_client_that_does_not_wait_for_its_answer_frees_the_gateway(
    start_front: StartFront, start_host: StartHost
) -> None:
    host, url = await start_host(delta_delay=0.05)
    front = await start_front()
    front.routes.set(SUPPORT, [url])
    asking = asyncio.create_task(front.client.post(CHAT, json={"question": "say 30 words"}).__aenter__())
    await until(lambda: host.runs.in_flight == 1, "the question is worked on")
    asking.cancel()
    await until(lambda: front.gateway.bound.taken == 0, "the slot is free again")
    assert host.runs.in_flight == 1
    await until(lambda: host.runs.in_flight == 0, "the run was finished all the same")


async def test_a_context_goes_to_the_agent_as_data(front: Front) -> None:
    context = {"ticket": {"id": 7, "tags": ["a\u0000", "ü"]}, "question": "not this one"}
    for given, said in (({"context": context}, context), ({"context": {}}, {}), ({}, None), ({"context": None}, None)):
        async with front.client.post(CHAT, json={"question": "context of 1 words", **given}) as response:
            answer = await response.json()
        assert json.loads(answer["answer"].removeprefix("word0 ")) == said
    for odd in ("text", 7, [context]):
        async with front.client.post(CHAT, json={"question": "context", "context": odd}) as response:
            problem = await response.json(content_type=None)
        assert (response.status, problem["reason"]) == (422, "InvalidRequest")
        assert problem["detail"].startswith("context: ")


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
    front.routes.describe(SUPPORT, Description("langgraph", "support-1", "Ready"))
    unknown = {"architecture": None, "revision": None, "health": "Unknown"}
    known = {"architecture": "langgraph", "revision": "support-1", "health": "Ready"}
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
    (CHAT, b'{"question": "%s"}' % (b"MARKER" * 1400), 422, "InvalidRequest"),
    (CHAT, json.dumps({"question": "x" * 8001}).encode(), 422, "InvalidRequest"),
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


async def test_bodies_in_other_encodings_reach_the_host_as_they_are(front: Front) -> None:
    question = json.dumps({"question": "echo Gebühr für Gäste"}, ensure_ascii=False)
    for encoding in ("utf-16", "utf-8-sig", "utf-32-be"):
        async with front.client.post(CHAT, data=question.encode(encoding)) as response:
            assert (await response.json())["answer"].endswith("echo Gebühr für Gäste")
    async with front.client.post(CHAT, data=rb'{"question": "echo tides \ud83d"}') as response:
        assert (await response.json())["answer"].endswith("echo tides \ufffd")
    refused = {
        "Latin-1": (question.encode("latin-1"), {"Content-Type": "application/json"}),
        "iso-8859-1": (question.encode(), {"Content-Type": "application/json; charset=iso-8859-1"}),
        "deflate": (b"anything", {"Content-Encoding": "deflate"}),
    }
    for named, (body, headers) in refused.items():
        async with front.client.post(CHAT, data=body, headers=headers) as response:
            problem = await response.json(content_type="application/problem+json")
        assert (response.status, problem["reason"]) == (415, "UnsupportedEncoding")
        assert named in problem["detail"]


PAGE = "https://portal.example.org"


async def test_pages_of_allowed_origins_may_ask_and_read(
    start_front: StartFront, start_host: StartHost, tmp_path: Path
) -> None:
    path = tmp_path / "keys.json"
    key, entry = new_key("alice")
    path.write_text(json.dumps({"keys": [entry.model_dump()]}))
    _, url = await start_host()
    front = await start_front(auth_mode="apikeys", api_keys_file=path, allowed_origins=(PAGE,))
    front.routes.set(SUPPORT, [url])
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key,last-event-id"}
    async with front.client.options(CHAT, headers={"Origin": PAGE, **asks}) as preflight:
        assert (preflight.status, await preflight.read(), "Content-Type" in preflight.headers) == (200, b"", False)
        assert preflight.headers["Access-Control-Allow-Origin"] == PAGE
        assert "Access-Control-Allow-Credentials" not in preflight.headers
    for headers, status in (({"X-API-Key": key}, 200), ({}, 401)):
        async with front.client.post(CHAT, json=QUESTION, headers={"Origin": PAGE, **STREAM, **headers}) as response:
            assert response.status == status
            assert response.headers["Access-Control-Allow-Origin"] == PAGE
            assert "retry-after" in response.headers["Access-Control-Expose-Headers"]
            assert response.headers["Vary"] == "Origin"
    stranger = {"Origin": "https://evil.example"}
    async with front.client.options(CHAT, headers={**stranger, **asks}) as preflight:
        assert (preflight.status, "Access-Control-Allow-Origin" in preflight.headers) == (400, False)
        assert (await preflight.read(), "Content-Type" in preflight.headers) == (b"", False)
        assert preflight.headers["X-Content-Type-Options"] == "nosniff"
    async with front.client.get("/livez", headers=stranger) as response:
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_without_allowed_origins_there_is_no_cors(front: Front) -> None:
    asks = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    async with front.client.options(CHAT, headers=asks) as preflight:
        assert (preflight.status, (await preflight.json(content_type=None))["reason"]) == (405, "MethodNotAllowed")
        assert "Access-Control-Allow-Origin" not in preflight.headers


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


async def test_a_run_that_is_not_there(front: Front) -> None:
    for run in ("0" * 32, "nonsense", "..", "%2e%2e", "a%2Fb"):
        async with front.client.get(URL(f"{front.url}/agents/{SUPPORT}/runs/{run}", encoded=True)) as response:
            assert response.status == 404, run
            assert (await response.json(content_type=None))["reason"] in ("RunNotFound", "NotFound"), run


async def test_agents_of_the_same_name_in_two_namespaces_share_nothing(
    start_front: StartFront, start_host: StartHost
) -> None:
    other = AgentKey("other", "support")
    _, url = await start_host(agents=("demo/support", "other/support"))
    front = await start_front()
    for agent in (SUPPORT, other):
        front.routes.set(agent, [url])
    async with front.client.post(CHAT, json=QUESTION) as response:
        answer = await response.json()
    for where in (f"sessions/{answer['session_id']}", f"runs/{answer['run_id']}"):
        for agent, status in ((SUPPORT, 200), (other, 404)):
            async with front.client.get(f"/agents/{agent}/{where}") as response:
                assert response.status == status


async def test_keys_open_the_door_and_can_be_rotated(
    start_front: StartFront, start_host: StartHost, tmp_path: Path
) -> None:
    path = tmp_path / "keys.json"
    (old, old_entry), (new, new_entry) = new_key("alice"), new_key("alice")
    path.write_text(json.dumps({"keys": [old_entry.model_dump()]}))
    _, url = await start_host()
    front = await start_front(auth_mode="apikeys", api_keys_file=path)
    front.routes.set(SUPPORT, [url])

    async def ask(**headers: str) -> aiohttp.ClientResponse:
        async with front.client.post(CHAT, json=QUESTION, headers=headers) as response:
            await response.read()
            return response

    async def accepted(key: str) -> bool:
        return (await ask(Authorization=f"Bearer {key}")).status == 200

    refused = await ask()
    assert refused.status == 401
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    problem = await refused.json(content_type=None)
    assert problem["reason"] == "Unauthenticated"
    assert problem["detail"].startswith("X-API-Key was not sent and Authorization was not sent")
    assert (await ask(**{"X-API-Key": old, "Authorization": "Bearer token-of-a-proxy"})).status == 200
    assert await accepted(old)
    assert (await ask(**{"X-API-Key": old})).status == 200
    assert not await accepted(new)
    assert (await front.client.get("/agents")).status == 401
    path.write_text(json.dumps({"keys": [new_entry.model_dump()]}))
    await until_async(lambda: accepted(new), "the new key works")
    assert not await accepted(old)


async def test_a_session_is_its_owners_alone(start_front: StartFront, start_host: StartHost, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    (alice, alices), (bob, bobs) = new_key("alice"), new_key("bob")
    path.write_text(json.dumps({"keys": [alices.model_dump(), bobs.model_dump()]}))
    _, url = await start_host()
    front = await start_front(auth_mode="apikeys", api_keys_file=path)
    front.routes.set(SUPPORT, [url])
    async with front.client.post(CHAT, json=QUESTION, headers={"X-API-Key": alice}) as response:
        answer = await response.json()
    for where in (f"sessions/{answer['session_id']}", f"runs/{answer['run_id']}"):
        for key, status in ((alice, 200), (bob, 404)):
            async with front.client.get(f"/agents/{SUPPORT}/{where}", headers={"X-API-Key": key}) as response:
                assert response.status == status


async def test_a_host_believes_nobody_but_the_gateway(front: Front, signer: IdentitySigner) -> None:
    endpoint = front.routes.pick(SUPPORT)
    assert endpoint
    caller = Caller.by_key("alice")
    tokens = {
        "": 401,
        "alice": 401,
        IdentitySigner.generate().sign(caller, str(SUPPORT)): 401,
        signer.sign(caller, "demo/billing"): 401,
        signer.sign(caller, str(SUPPORT)): 200,
    }
    url = f"{endpoint.url}/agents/{SUPPORT}/runs"
    for token, status in tokens.items():
        async with front.client.post(url, json=ask_json("?"), headers={HEADER: token}) as response:
            assert response.status == status


async def test_a_client_cannot_bring_an_identity_along(front: Front, signer: IdentitySigner) -> None:
    headers = {HEADER: signer.sign(Caller.by_key("root"), str(SUPPORT))}
    async with front.client.post(CHAT, json=QUESTION, headers=headers) as response:
        session = (await response.json())["session_id"]
    async with front.client.get(f"/agents/{SUPPORT}/sessions/{session}") as response:
        assert response.status == 200  # it belongs to `anonymous`, who asks here without that header


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
