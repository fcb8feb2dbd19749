"""A host over HTTP: what it answers, what it refuses and in which words."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from slipway_runtime.agents.protocol import AgentRequest
from slipway_runtime.events import Event
from slipway_runtime.host.app import RUN_HEADER, create_host_app
from slipway_runtime.host.service import Host
from slipway_runtime.identity import HEADER, Caller, IdentitySigner
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols import sse
from tests.support.scripts import AGENT, SIGNER, Gated, Scripted, StartHost, at_once, hosted
from tests.support.serving import served
from tests.support.waiting import until

CHAT = f"/agents/{AGENT}/chat"
STREAM = {"accept": "text/event-stream"}


class Client:
    """Asks a host as the gateway does."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    def headers(self, caller: str = "alice", **more: str) -> dict[str, str]:
        return {HEADER: SIGNER.sign(Caller.by_key(caller), AGENT), **more}

    async def call(
        self, method: str, path: str, *, caller: str = "alice", headers: dict[str, str] | None = None, **options: Any
    ) -> tuple[int, Any, Any]:
        """Status, body (JSON where it is JSON) and headers."""
        sent = {**self.headers(caller), **(headers or {})}
        async with self.session.request(method, path, headers=sent, **options) as response:
            is_json = "json" in response.content_type
            return response.status, await (response.json() if is_json else response.text()), response.headers

    async def ask(self, question: str = "Why?", **options: Any) -> tuple[int, Any, Any]:
        return await self.call("POST", CHAT, json={"question": question}, **options)


@pytest.fixture
async def connect(stack: AsyncExitStack) -> Any:
    async def to(host: Host) -> Client:
        url = await stack.enter_async_context(served(create_host_app(host)))
        timeout = aiohttp.ClientTimeout(total=60)
        connector = aiohttp.TCPConnector(limit=0)
        return Client(await stack.enter_async_context(aiohttp.ClientSession(url, timeout=timeout, connector=connector)))

    return to


@pytest.fixture
async def client(start_host: StartHost, connect: Any) -> Client:
    return await connect(await start_host(hosted(at_once, session_max_turns=2)))  # type: ignore[no-any-return]


def frames(text: str) -> list[dict[str, str]]:
    """Server-sent events, parsed as the specification says; comments left out."""
    blocks = [[line for line in block.split("\n") if not line.startswith(":")] for block in text.split("\n\n")]
    return [dict(line.split(": ", 1) for line in block if line) for block in blocks if any(block)]


async def test_a_json_answer_has_all_fields(client: Client) -> None:
    status, body, headers = await client.ask("Why?")
    assert status == 200
    assert body == {
        "answer": "Why?",
        "abstained": False,
        "agent_used": AGENT,
        "sources": [],
        "session_id": body["session_id"],
        "run_id": headers[RUN_HEADER],
        "usage": {"retrieved_chunks": 1, "embedded_texts": 1},
    }


async def test_a_stream_has_every_event_once_and_can_be_resumed(client: Client) -> None:
    status, text, headers = await client.ask("Why?", headers=STREAM)
    assert (status, headers["content-type"].split(";")[0]) == (200, "text/event-stream")
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store", "no")
    run = headers[RUN_HEADER]
    events = frames(text)
    assert [event["event"] for event in events] == ["started", "retrieved", "delta", "usage", "done"]
    assert [event["id"] for event in events] == [f"{run}.1.{seq}" for seq in range(1, 6)]
    path = f"/agents/{AGENT}/runs/{run}"
    _, rest, _ = await client.call("GET", path, headers={**STREAM, "last-event-id": events[1]["id"]})
    assert frames(rest) == events[2:]
    status, rest, _ = await client.call("GET", path, headers={**STREAM, "last-event-id": events[-1]["id"]})
    assert (status, rest) == (204, "")  # there is nothing to wait for
    _, answer, _ = await client.call("GET", path)
    assert (answer["answer"], answer["run_id"]) == ("Why?", run)


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
async def test_a_stream_is_for_those_that_accept_one(client: Client, accept: str, streams: bool) -> None:
    _, _, headers = await client.ask(headers={"accept": accept})
    assert (headers["content-type"].split(";")[0] == "text/event-stream") == streams


async def test_a_run_id_of_the_gateway_is_kept_and_joined(client: Client) -> None:
    run = "ab" * 16
    first, second = [(await client.ask("Why?", headers={RUN_HEADER: run}))[1] for _ in range(2)]
    assert first == second
    assert first["run_id"] == run


async def test_a_silent_stream_is_kept_open_by_comments(
    start_host: StartHost, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Gated()
    client: Client = await connect(await start_host(hosted(script)))
    monkeypatch.setattr(sse.stream, "__kwdefaults__", {"ping": 0.05})
    async with client.session.post(CHAT, json={"question": "?"}, headers=client.headers(**STREAM)) as response:
        async for line in response.content:
            if line == b": ping\n":
                script.gate.set()
        assert script.gate.is_set()


async def test_a_session_goes_on_is_shown_and_is_deleted(client: Client) -> None:
    _, first, _ = await client.ask("One?")
    session = first["session_id"]
    _, second, _ = await client.call("POST", CHAT, json={"question": "Two?", "session_id": session})
    assert second["session_id"] == session
    path = f"/agents/{AGENT}/sessions/{session}"
    _, shown, _ = await client.call("GET", path)
    assert [(turn["question"], turn["answer"], turn["outcome"]) for turn in shown["turns"]] == [
        ("One?", "One?", "done"),
        ("Two?", "Two?", "done"),
    ]
    assert [turn["run_id"] for turn in shown["turns"]] == [first["run_id"], second["run_id"]]
    for method in ("GET", "DELETE"):
        assert (await client.call(method, path, caller="bob"))[0] == 404
    status, body, _ = await client.call("POST", CHAT, json={"question": "Three?", "session_id": session})
    assert (status, body["reason"]) == (409, "SessionFull")
    assert (await client.call("DELETE", path))[0] == 204
    for method in ("GET", "DELETE"):
        status, body, _ = await client.call(method, path)
        assert (status, body["reason"]) == (404, "SessionNotFound")


FOREIGN = IdentitySigner.generate()
BAD_BODIES: list[tuple[str, bytes, int, str]] = [
    ("not JSON", b"question=x", 400, "InvalidJSON"),
    ("nothing", b"", 400, "InvalidJSON"),
    ("not UTF-8", b'{"question": "\xff"}', 415, "UnsupportedEncoding"),
    ("deeply nested", b"[" * 30_000, 400, "InvalidJSON"),
    ("not an object", b'["question"]', 422, "InvalidRequest"),
    ("no question", b"{}", 422, "InvalidRequest"),
    ("an empty question", b'{"question": ""}', 422, "InvalidRequest"),
    ("a blank question", b'{"question": " \\n "}', 422, "InvalidRequest"),
    ("a NUL character", b'{"question": "a\\u0000MARKER"}', 422, "InvalidRequest"),
    ("a number", b'{"question": 7}', 422, "InvalidRequest"),
    ("a question too long", b'{"question": "%s"}' % (b"MARKER" * 1400), 422, "InvalidRequest"),
    ("an unknown field", b'{"question": "MARKER", "model": "x"}', 422, "InvalidRequest"),
    ("an odd session id", b'{"question": "MARKER", "session_id": "../x"}', 422, "InvalidRequest"),
    ("a session that is not there", b'{"question": "MARKER", "session_id": "abc"}', 404, "SessionNotFound"),
    ("a body above 64 KiB", b'{"question": "x"}' + b" " * 65536, 413, "QuestionTooLarge"),
    ("a question of 1 MB", b'{"question": "%s"}' % (b"x" * 1_000_000), 413, "QuestionTooLarge"),
]


@pytest.mark.parametrize(("body", "status", "reason"), [row[1:] for row in BAD_BODIES], ids=[r[0] for r in BAD_BODIES])
async def test_a_bad_body_is_refused_with_its_reason(client: Client, body: bytes, status: int, reason: str) -> None:
    for headers in ({}, STREAM):
        got, problem, sent = await client.call("POST", CHAT, data=body, headers=headers)
        assert (got, problem["reason"], problem["status"]) == (status, reason, status)
        assert sent["content-type"] == "application/problem+json"
        assert problem["detail"]
        assert "MARKER" not in problem["detail"]


async def test_a_large_body_without_a_length_is_refused(client: Client) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 4096

    status, problem, _ = await client.call("POST", CHAT, data=pieces())
    assert (status, problem["reason"]) == (413, "QuestionTooLarge")


@pytest.mark.parametrize(
    "token",
    ["", "x", FOREIGN.sign(Caller.by_key("alice"), AGENT), SIGNER.sign(Caller.by_key("alice"), "demo/other")],
    ids=["none", "not a token", "forged", "for another agent"],
)
async def test_only_the_gateway_is_believed(client: Client, token: str) -> None:
    for method, path in (("POST", CHAT), ("GET", f"/agents/{AGENT}/runs/{'a' * 32}")):
        headers = {HEADER: token, "authorization": f"Bearer {SIGNER.sign(Caller.by_key('alice'), AGENT)}"}
        status, problem, _ = await client.call(method, path, headers=headers)
        assert (status, problem["reason"]) == (401, "Unauthenticated")


async def test_what_is_not_there_is_named(client: Client) -> None:
    other = {HEADER: SIGNER.sign(Caller.by_key("alice"), "demo/other")}
    for method, path, headers, status, reason in (
        ("POST", "/agents/demo/other/chat", other, 404, "AgentNotFound"),
        ("GET", f"/agents/{AGENT}/runs/{'a' * 32}", {}, 404, "RunNotFound"),
        ("GET", f"/agents/{AGENT}/runs/%00", {}, 404, "RunNotFound"),
        ("GET", f"/agents/{AGENT}/sessions/a%00b", {}, 404, "SessionNotFound"),
        ("GET", "/nothing", {}, 404, "NotFound"),
        ("GET", CHAT, {}, 405, "MethodNotAllowed"),
        ("POST", CHAT, {RUN_HEADER: "not hexadecimal"}, 422, "InvalidRequest"),
    ):
        got, problem, _ = await client.call(method, path, headers=headers, json={"question": "?"})
        assert (path, got, problem["reason"]) == (path, status, reason)


@pytest.mark.parametrize(
    "place",
    [
        "x",
        "a.b.c",
        "{run}.1",
        "{run}.1.-2",
        "{run}.1.99999999999",
        "{other}.1.1",
        "{run}.2.1",
        "{run}.1.6",
        "{run}.1.0",
    ],
)
async def test_an_odd_last_event_id_is_refused(client: Client, place: str) -> None:
    _, answer, _ = await client.ask()
    run = answer["run_id"]
    headers = {**STREAM, "last-event-id": place.format(run=run, other="a" * 32)}
    status, problem, _ = await client.call("GET", f"/agents/{AGENT}/runs/{run}", headers=headers)
    assert (status, problem["reason"]) == (422, "InvalidRequest")


async def test_a_question_with_a_last_event_id_of_another_run_is_not_kept(client: Client) -> None:
    _, answer, _ = await client.ask()
    asked = {"question": "Again?", "session_id": answer["session_id"]}
    headers = {**STREAM, "last-event-id": f"{answer['run_id']}.1.5"}
    status, problem, _ = await client.call("POST", CHAT, headers=headers, json=asked)
    assert (status, problem["reason"]) == (422, "InvalidRequest")
    _, session, _ = await client.call("GET", f"/agents/{AGENT}/sessions/{answer['session_id']}")
    assert len(session["turns"]) == 1


def index_not_ready(_: AgentRequest) -> AsyncIterator[Event]:
    raise Problem(Reason.INDEX_NOT_READY, "Wait for the index.")


async def test_a_failed_run_is_a_problem_or_an_event(start_host: StartHost, connect: Any) -> None:
    client: Client = await connect(await start_host(hosted(index_not_ready)))
    status, problem, headers = await client.ask()
    assert (status, problem["reason"], problem["detail"]) == (503, "IndexNotReady", "Wait for the index.")
    assert int(headers["retry-after"]) > 0
    status, text, _ = await client.ask(headers=STREAM)
    assert (status, [frame["event"] for frame in frames(text)]) == (200, ["started", "failed"])


async def test_readiness_names_what_is_missing(start_host: StartHost, connect: Any) -> None:
    agent = hosted(at_once)
    assert isinstance(agent.agent, Scripted)
    host = await start_host(agent)
    client: Client = await connect(host)
    assert (await client.call("GET", "/livez"))[0] == 200
    agent.agent.lacks = ["the index handbook has not been built yet", "No such file: '/data/chroma'"]
    status, body, _ = await client.call("GET", "/readyz")
    said = ["the index handbook has not been built yet", "No such file: '(a file that the log names)'"]
    assert (status, body) == (503, {"ready": False, "missing": said})
    host.drain()
    status, body, _ = await client.call("GET", "/readyz")
    assert (status, len(body["missing"])) == (503, 1)
    status, problem, headers = await client.ask()
    assert (status, problem["reason"]) == (503, "Draining")
    assert headers["retry-after"]


async def test_a_client_that_goes_away_finds_its_answer_later(start_host: StartHost, connect: Any) -> None:
    script = Gated()
    host = await start_host(hosted(script))
    client: Client = await connect(host)
    async with client.session.post(CHAT, json={"question": "?"}, headers=client.headers(**STREAM)) as response:
        await response.content.readuntil(b"event: delta")
        run = response.headers[RUN_HEADER]
        response.close()
    script.gate.set()
    await until(lambda: host.runs.in_flight == 0, "the run ends without its client")
    _, answer, _ = await client.call("GET", f"/agents/{AGENT}/runs/{run}")
    assert answer["answer"] == "ab"


async def test_a_thousand_questions_at_once_are_all_answered_or_refused(start_host: StartHost, connect: Any) -> None:
    host = await start_host(hosted(at_once, in_flight=20))
    client: Client = await connect(host)
    results = await asyncio.gather(*(client.ask(f"Question {number}?") for number in range(1000)))
    statuses = [status for status, _, _ in results]
    assert set(statuses) <= {200, 429}
    assert statuses.count(200) >= 20
    for number, (status, body, headers) in enumerate(results):
        if status == 200:
            assert body["answer"] == f"Question {number}?"
        else:
            assert body["reason"] == "Overloaded"
            assert int(headers["retry-after"]) >= 1
    await until(lambda: host.runs.in_flight == 0, "no slot is lost")
    assert (await client.ask())[0] == 200
