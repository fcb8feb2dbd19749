"""A host over HTTP: what it answers, what it refuses and in which words."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import orjson
import pytest
from multidict import CIMultiDict

from slipway_runtime.events import Done
from slipway_runtime.host.app import create_host_app
from slipway_runtime.host.lifecycle import Host
from slipway_runtime.identity import HEADER, Caller, IdentitySigner
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols import sse
from slipway_runtime.protocols.headers import RUN_HEADER
from slipway_runtime.run import Run
from tests.support.asking import ask_json, chat_answer
from tests.support.scripts import AGENT, SIGNER, Gated, Scripted, StartHost, at_once, hosted
from tests.support.serving import served
from tests.support.waiting import until

RUNS = f"/agents/{AGENT}/runs"


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

    async def ask(
        self, question: str = "Why?", *, session: str | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any, Any]:
        """Status, the JSON answer that the gateway makes of the events, and headers."""
        asked = ask_json(question, session=session)
        return gathered(*await self.call("POST", f"{RUNS}?watch=false", json=asked, headers=headers))

    async def stream(self, question: str = "Why?") -> tuple[int, Any, Any]:
        """Status, the events as they are, and headers."""
        return await self.call("POST", RUNS, json=ask_json(question))

    async def answer(self, run: str) -> tuple[int, Any, Any]:
        """The same as `ask` for a run that was begun before."""
        return gathered(*await self.call("GET", f"{RUNS}/{run}?watch=false"))


def gathered(status: int, body: Any, headers: Any) -> tuple[int, Any, Any]:
    if isinstance(body, dict):
        return status, body, headers
    status, answer, more = chat_answer(headers[RUN_HEADER], body.encode())
    return status, answer, CIMultiDict({**headers, **more})


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
        "grounded": None,
        "model": None,
        "session_id": body["session_id"],
        "run_id": headers[RUN_HEADER],
        "usage": {"retrieved_chunks": 1, "embedded_texts": 1},
    }


async def test_a_stream_has_every_event_once_and_can_be_resumed(client: Client) -> None:
    status, text, headers = await client.stream("Why?")
    assert (status, headers["content-type"].split(";")[0]) == (200, "text/event-stream")
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store", "no")
    run = headers[RUN_HEADER]
    events = frames(text)
    assert [event["event"] for event in events] == ["started", "retrieved", "delta", "usage", "done"]
    assert [event["id"] for event in events] == [f"{run}.1.{seq}" for seq in range(1, 6)]
    path = f"/agents/{AGENT}/runs/{run}"
    _, rest, _ = await client.call("GET", path, headers={"last-event-id": events[1]["id"]})
    assert frames(rest) == events[2:]
    status, rest, _ = await client.call("GET", path, headers={"last-event-id": events[-1]["id"]})
    assert (status, rest) == (204, "")  # there is nothing to wait for
    _, answer, _ = await client.answer(run)
    assert (answer["answer"], answer["run_id"]) == ("Why?", run)


async def test_a_run_id_of_the_gateway_is_kept_and_joined(client: Client) -> None:
    run = "ab" * 16
    first, second = [(await client.ask("Why?", headers={RUN_HEADER: run}))[1] for _ in range(2)]
    assert first == second
    assert first["run_id"] == run


@pytest.mark.parametrize(("path", "frames_of"), [(RUNS, sse.stream), (f"{RUNS}?watch=false", sse.in_one)])
async def test_a_silent_stream_is_kept_open_by_comments(
    start_host: StartHost, connect: Any, monkeypatch: pytest.MonkeyPatch, path: str, frames_of: Any
) -> None:
    script = Gated()
    client: Client = await connect(await start_host(hosted(script)))
    monkeypatch.setattr(frames_of, "__kwdefaults__", {"ping": 0.05})
    async with client.session.post(path, json=ask_json("?"), headers=client.headers()) as response:
        lines = []
        async for line in response.content:
            lines.append(line)
            if line == b": ping\n":
                script.gate.set()
        assert script.gate.is_set()
        assert b"event: done\n" in lines


async def test_an_answer_that_nobody_watches_comes_with_its_length(client: Client) -> None:
    _, text, headers = await client.call("POST", f"{RUNS}?watch=false", json=ask_json("Why?"))
    assert int(headers["content-length"]) == len(text.encode())
    _, _, headers = await client.stream("Why?")
    assert "content-length" not in headers


async def test_a_session_goes_on_is_shown_and_is_deleted(client: Client) -> None:
    _, first, _ = await client.ask("One?")
    session = first["session_id"]
    _, second, _ = await client.ask("Two?", session=session)
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
    status, body, _ = await client.ask("Three?", session=session)
    assert (status, body["reason"]) == (409, "SessionFull")
    assert (await client.call("DELETE", path))[0] == 204
    for method in ("GET", "DELETE"):
        status, body, _ = await client.call(method, path)
        assert (status, body["reason"]) == (404, "SessionNotFound")


FOREIGN = IdentitySigner.generate()
MARKED = ask_json("MARKER")
BAD_BODIES: list[tuple[str, object, int, str, str]] = [
    ("not JSON", b"question=x", 400, "InvalidJSON", "JSON"),
    ("nothing", b"", 400, "InvalidJSON", "JSON"),
    ("deeply nested", b"[" * 30_000, 400, "InvalidJSON", "JSON"),
    ("not an object", ["parts"], 422, "InvalidRequest", "body: "),
    ("no parts", {}, 422, "InvalidRequest", "parts: "),
    ("no part", {"parts": []}, 422, "InvalidRequest", "parts: "),
    ("a part of an unknown kind", {"parts": [{"kind": "smell", "MARKER": 1}]}, 422, "InvalidRequest", "parts.0: "),
    ("an unknown field", {**MARKED, "model": "MARKER"}, 422, "InvalidRequest", "model: "),
    ("an odd session id", {**MARKED, "session": "../x"}, 422, "InvalidRequest", "session: "),
    (
        "tools",
        {**MARKED, "client_tools": [{"name": "MARKER", "parameters": {}}]},
        422,
        "InvalidRequest",
        "client_tools.",
    ),
    ("messages after it", {**MARKED, "continuation": [{"role": "tool"}]}, 422, "InvalidRequest", "take: continuation."),
    (
        "a picture, and a way to choose tools",
        {"parts": [{"kind": "image", "media_type": "image/png", "data": ""}], "tool_choice": "none"},
        422,
        "InvalidRequest",
        "take: image, tool_choice.",
    ),
    ("a session that is not there", {**MARKED, "session": "abc"}, 404, "SessionNotFound", "no such session"),
    ("a body above 1 MiB", b'{"parts": []}' + b" " * 2**20, 413, "QuestionTooLarge", "at most"),
]


@pytest.mark.parametrize(
    ("body", "status", "reason", "says"), [row[1:] for row in BAD_BODIES], ids=[row[0] for row in BAD_BODIES]
)
async def test_a_bad_ask_is_refused_with_its_reason(
    client: Client, body: object, status: int, reason: str, says: str
) -> None:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    got, problem, sent = await client.call("POST", RUNS, data=io.BytesIO(data))
    assert (got, problem["reason"], problem["status"]) == (status, reason, status)
    assert sent["content-type"] == "application/problem+json"
    assert says in problem["detail"]
    assert "MARKER" not in problem["detail"]


async def test_a_large_body_without_a_length_is_refused(client: Client) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(300):
            yield b" " * 4096

    status, problem, _ = await client.call("POST", RUNS, data=pieces())
    assert (status, problem["reason"]) == (413, "QuestionTooLarge")


@pytest.mark.parametrize(
    "token",
    ["", "x", FOREIGN.sign(Caller.by_key("alice"), AGENT), SIGNER.sign(Caller.by_key("alice"), "demo/other")],
    ids=["none", "not a token", "forged", "for another agent"],
)
async def test_only_the_gateway_is_believed(client: Client, token: str) -> None:
    for method, path in (("POST", RUNS), ("GET", f"/agents/{AGENT}/runs/{'a' * 32}")):
        headers = {HEADER: token, "authorization": f"Bearer {SIGNER.sign(Caller.by_key('alice'), AGENT)}"}
        status, problem, _ = await client.call(method, path, headers=headers)
        assert (status, problem["reason"]) == (401, "Unauthenticated")


async def test_what_is_not_there_is_named(client: Client) -> None:
    other = {HEADER: SIGNER.sign(Caller.by_key("alice"), "demo/other")}
    for method, path, headers, status, reason in (
        ("POST", "/agents/demo/other/runs", other, 404, "AgentNotFound"),
        ("GET", f"/agents/{AGENT}/runs/{'a' * 32}", {}, 404, "RunNotFound"),
        ("GET", f"/agents/{AGENT}/runs/%00", {}, 404, "RunNotFound"),
        ("GET", f"/agents/{AGENT}/sessions/a%00b", {}, 404, "SessionNotFound"),
        ("GET", "/nothing", {}, 404, "NotFound"),
        ("PUT", RUNS, {}, 405, "MethodNotAllowed"),
        ("POST", RUNS, {RUN_HEADER: "not hexadecimal"}, 422, "InvalidRequest"),
    ):
        got, problem, _ = await client.call(method, path, headers=headers, json=ask_json("?"))
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
    headers = {"last-event-id": place.format(run=run, other="a" * 32)}
    status, problem, _ = await client.call("GET", f"/agents/{AGENT}/runs/{run}", headers=headers)
    assert (status, problem["reason"]) == (422, "InvalidRequest")


async def test_a_question_with_a_last_event_id_of_another_run_is_not_kept(client: Client) -> None:
    _, answer, _ = await client.ask()
    asked = ask_json("Again?", session=answer["session_id"])
    headers = {"last-event-id": f"{answer['run_id']}.1.5"}
    status, problem, _ = await client.call("POST", RUNS, headers=headers, json=asked)
    assert (status, problem["reason"]) == (422, "InvalidRequest")
    _, session, _ = await client.call("GET", f"/agents/{AGENT}/sessions/{answer['session_id']}")
    assert len(session["turns"]) == 1


async def index_not_ready(_: Run) -> Done:
    raise Problem(Reason.INDEX_NOT_READY, "Wait for the index.")


async def test_a_failed_run_is_a_problem_or_an_event(start_host: StartHost, connect: Any) -> None:
    client: Client = await connect(await start_host(hosted(index_not_ready)))
    status, problem, headers = await client.ask()
    assert (status, problem["reason"], problem["detail"]) == (503, "IndexNotReady", "Wait for the index.")
    assert int(headers["retry-after"]) > 0
    status, text, _ = await client.stream()
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
    async with client.session.post(RUNS, json=ask_json("?"), headers=client.headers()) as response:
        await response.content.readuntil(b"event: delta")
        run = response.headers[RUN_HEADER]
        response.close()
    script.gate.set()
    await until(lambda: host.runs.in_flight == 0, "the run ends without its client")
    _, answer, _ = await client.answer(run)
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
