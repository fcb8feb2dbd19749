"""Answers of pods that a tenant put behind an agent harm neither the gateway nor other callers."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from slipway_runtime.gateway.answers import ANSWER_BYTES, pieces
from slipway_runtime.gateway.upstream import READ_BYTES, new_session
from slipway_runtime.identity import IdentitySigner
from slipway_runtime.responses import PIECES_FREE, InvalidAnswer, PodResponse
from tests.support.chat import STREAM
from tests.support.evil_pods import attacks, evil_pods
from tests.support.fake_kubernetes import FakeKubernetes
from tests.support.gateway_process import KEY, GatewayProcess, gateway_process, publish
from tests.support.scripted_host import SEED, Options, host_app
from tests.support.servers import free_port
from tests.support.serving import served
from tests.support.waiting import until_async

QUESTION = {"question": "say 3 words"}
GROWTH = 128 * 1024
"""KiB that the gateway may grow by. Its pod may grow by 400 MiB."""
REFUSED = {"InvalidAnswer", "NoPodReady"}
HEADERS = {
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "date",
    "retry-after",
    "server",
    "transfer-encoding",
    "x-accel-buffering",
    "x-content-type-options",
}
TYPES = {"application/json", "application/problem+json", "text/event-stream"}


@dataclass
class Redirected:
    """The server that redirects lead to."""

    url: str = ""
    requests: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append(request.path)
        return web.json_response({"answer": "internal"})


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def redirected(stack: AsyncExitStack) -> Redirected:
    target = Redirected()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", target.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    target.url = f"http://127.0.0.1:{port}/internal"
    return target


@pytest.fixture
async def gateway(stack: AsyncExitStack, redirected: Redirected, tmp_path: Path) -> GatewayProcess:
    """A gateway with the agent `support` in each namespace: `good` has a host, the others are named after attacks."""
    kubernetes = FakeKubernetes(free_port())
    await kubernetes.start()
    stack.push_async_callback(kubernetes.stop)
    options = Options(
        f"sqlite:///{tmp_path}/store.db", IdentitySigner.from_seed(SEED).public_key, agents=("good/support",)
    )
    _, app = await stack.enter_async_context(host_app(options))
    publish(kubernetes, await stack.enter_async_context(served(app)), namespace="good")
    for name, url in stack.enter_context(evil_pods(redirected.url)).items():
        publish(kubernetes, url, namespace=name)
    return stack.enter_context(gateway_process(tmp_path, kubernetes))


@pytest.fixture
async def client(stack: AsyncExitStack, gateway: GatewayProcess) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=0)
    headers = {"Authorization": f"Bearer {KEY}"}
    session = aiohttp.ClientSession(gateway.url, connector=connector, headers=headers)
    await stack.enter_async_context(session)
    await until_async(lambda: gateway.ready(session), "the gateway is ready")
    return session


@dataclass(frozen=True)
class Outcome:
    """What a client got of an answer. `reason` is `cut off` where the connection broke."""

    status: int
    headers: dict[str, str]
    reason: str
    size: int


async def attacked(client: aiohttp.ClientSession, name: str, headers: dict[str, str]) -> Outcome:
    """Ask an evil pod and read all that comes of it."""
    size, last = 0, b""
    async with client.post(f"/agents/{name}/support/chat", json=QUESTION, headers=headers) as response:
        got = {key.lower(): value for key, value in response.headers.items()}
        try:
            async for piece in response.content.iter_any():
                size += len(piece)
                last = (last + piece)[-2000:]
        except aiohttp.ClientPayloadError:
            return Outcome(response.status, got, "cut off", size)
    data = last.rpartition(b"data: ")[2]
    try:
        reason = json.loads(data).get("reason", "")
    except ValueError:
        reason = "no JSON"
    return Outcome(response.status, got, reason, size)


async def all_attacks(client: aiohttp.ClientSession) -> dict[str, list[Outcome]]:
    """Ask every evil pod for an answer of each kind, all at once."""
    asked = {name: [attacked(client, name, headers) for headers in ({}, STREAM)] for name in attacks("")}
    outcomes = await asyncio.gather(*(asyncio.gather(*both) for both in asked.values()))
    return dict(zip(asked, outcomes, strict=True))


async def others(client: aiohttp.ClientSession, attack: asyncio.Task[dict[str, list[Outcome]]]) -> int:
    """Ask the good agent again and again while the attack goes on; how often it answered."""
    answered = 0
    while not attack.done():
        async with asyncio.timeout(20), client.post("/agents/good/support/chat", json=QUESTION) as response:
            assert (response.status, (await response.json())["answer"]) == (200, "word0 word1 word2 ")
            answered += 1
    return answered


def most_memory(gateway: GatewayProcess) -> int:
    """The most that the gateway ever had resident, in KiB."""
    status = Path(f"/proc/{gateway.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


async def test_other_callers_are_served_while_pods_misbehave(
    gateway: GatewayProcess, client: aiohttp.ClientSession, redirected: Redirected
) -> None:
    before = most_memory(gateway)
    attack = asyncio.create_task(all_attacks(client))
    assert await others(client, attack) > 0
    outcomes = await attack
    assert most_memory(gateway) - before < GROWTH
    assert redirected.requests == []
    for name, each in outcomes.items():
        assert {outcome.reason for outcome in each} <= REFUSED, name
        for outcome in each:
            assert outcome.headers.keys() <= HEADERS, name
            assert outcome.headers["content-type"] in TYPES, name
            assert outcome.headers["x-content-type-options"] == "nosniff"
            assert outcome.headers["cache-control"] == "no-store"


@pytest.fixture
def pods(stack: AsyncExitStack) -> dict[str, str]:
    return stack.enter_context(evil_pods(""))


@pytest.mark.parametrize("name", ["tiny-chunks", "tiny-events", "tiny-problem"])
async def test_an_answer_in_tiny_pieces_is_cut_early(pods: dict[str, str], name: str) -> None:
    async with new_session(1) as session, session.get(pods[name]) as response:
        assert isinstance(response, PodResponse)
        with pytest.raises(InvalidAnswer, match="tiny pieces"):
            async for _ in pieces(response, limit=ANSWER_BYTES):
                pass
        buffered = READ_BYTES // 16 + 1  # chunks that aiohttp takes in before it pauses
        assert response.content.total_bytes <= PIECES_FREE + 3 * buffered


async def test_a_long_stream_of_events_as_a_host_sends_them_is_read_whole(stack: AsyncExitStack) -> None:
    event = f'id: {"a" * 32}.1.1\nevent: delta\ndata: {{"text":"x"}}\n\n'.encode()

    async def events(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        for _ in range(PIECES_FREE * 5):
            await response.write(event)
        return response

    app = web.Application()
    app.router.add_get("/", events)
    runner = web.AppRunner(app)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    async with new_session(1) as session, session.get(f"http://127.0.0.1:{port}/") as response:
        assert isinstance(response, PodResponse)
        got = [piece async for piece in pieces(response, limit=ANSWER_BYTES)]
        assert b"".join(got) == event * PIECES_FREE * 5
