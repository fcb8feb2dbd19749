"""Pods that answer slowly, or half: no request is held for longer than a host would need."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack

import aiohttp
import pytest

from slipway_runtime.gateway import agent_path, answers, relay, upstream
from slipway_runtime.gateway.events import SHARED_BYTES
from tests.runtime.gateway.conftest import CHAT, SUPPORT, Front, StartFront, StartHost
from tests.support.chat import STREAM, transcribe
from tests.support.evil_pods import attacks, evil_pods
from tests.support.scripted_host import words

QUESTION = {"question": "?"}
SHORT = 0.3
"""Seconds that stand for the long ones."""
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"
LIKE_A_HOST = {"endless-events"}
"""An attack that begins as a host's answer does: what came of it cannot be taken back."""
SESSION = f"/agents/{SUPPORT}/sessions/s"
"""What hosts answer with JSON."""
StartPod = Callable[..., Awaitable[Front]]


@pytest.fixture
async def behind(stack: AsyncExitStack, start_front: StartFront, monkeypatch: pytest.MonkeyPatch) -> StartPod:
    """A gateway in a hurry, over a pod that sends a beginning, and then a byte at a time."""
    for module, name in [(relay, "SILENCE_SECONDS"), (upstream, "SILENCE_SECONDS"), (answers, "ANSWER_SECONDS")]:
        monkeypatch.setattr(module, name, SHORT)

    async def start(beginning: bytes, *, drip: bytes) -> Front:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            try:
                writer.write(beginning)
                while not reader.at_eof():
                    writer.write(drip)
                    await writer.drain()
                    await asyncio.sleep(SHORT / 10)
            except ConnectionError:
                return
            finally:
                writer.close()

        server = await stack.enter_async_context(await asyncio.start_server(connected, "127.0.0.1", 0))
        front = await start_front()
        front.routes.set(SUPPORT, [f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"])
        return front

    return start


@pytest.fixture(scope="module")
def impostors() -> Iterator[dict[str, str]]:
    with evil_pods("http://127.0.0.1:1/elsewhere") as urls:
        yield urls


async def reason(response: aiohttp.ClientResponse) -> str:
    return str((await response.json(content_type=None))["reason"])


async def test_a_body_that_drips_is_given_up(behind: StartPod) -> None:
    front = await behind(JSON, drip=b" ")
    async with front.client.get(SESSION) as response:
        assert (response.status, await reason(response)) == (502, "InvalidAnswer")


async def test_headers_of_a_stream_that_drip_are_given_up(behind: StartPod) -> None:
    front = await behind(b"HTTP/1.1 200 OK\r\nX: ", drip=b"x")
    async with front.client.post(CHAT, json=QUESTION, headers=STREAM) as response:
        assert (response.status, await reason(response)) == (502, "InvalidAnswer")


async def test_an_event_that_drips_is_given_up(behind: StartPod) -> None:
    front = await behind(EVENTS, drip=b"x")
    async with front.client.post(CHAT, json=QUESTION, headers=STREAM) as response:
        body = await response.text()
    assert body.startswith("event: failed\n")
    assert "InvalidAnswer" in body


async def test_a_stream_of_nothing_but_comments_ends(behind: StartPod, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_path, "LONGEST_SECONDS", 2 * SHORT)
    front = await behind(EVENTS, drip=b": ping\n\n")
    async with front.client.post(CHAT, json=QUESTION, headers=STREAM) as response:
        body = await response.text()
    assert body.startswith(": ping\n\n")
    assert "RequestTimeout" in body


async def test_a_pod_that_thinks_for_too_long_is_given_up(behind: StartPod, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_path, "LONGEST_SECONDS", SHORT / 3)
    front = await behind(b"HTTP/1.1 200 OK\r\nX: ", drip=b"x")
    async with front.client.post(CHAT, json=QUESTION) as response:
        assert (response.status, await reason(response)) == (504, "RequestTimeout")


async def test_a_long_answer_is_passed_on_and_half_of_one_breaks_off(behind: StartPod) -> None:
    front = await behind(JSON + b"x" * 1_000_000, drip=b"")
    async with front.client.get(SESSION) as response:
        assert (response.status, await response.read()) == (200, b"x" * 1_000_000)
    front = await behind(JSON + b"x" * 500_000, drip=b"x")
    async with front.client.get(SESSION) as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
    assert front.gateway.bound.taken == 0


@pytest.mark.parametrize("attack", sorted(set(attacks("")) - LIKE_A_HOST))
async def test_a_pod_that_is_no_host_costs_clients_nothing(
    start_front: StartFront,
    start_host: StartHost,
    impostors: dict[str, str],
    attack: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answers, "ANSWER_SECONDS", 3.0)
    _, url = await start_host()
    front = await start_front()
    front.routes.set(SUPPORT, [impostors[attack], url])  # of pods with as little to do the first is asked first
    async with front.client.post(CHAT, json={"question": "say 3 words"}) as response:
        assert (response.status, (await response.json())["answer"]) == (200, "".join(words(3)))
        assert "Set-Cookie" not in response.headers
    async with front.client.post(CHAT, json={"question": "say 3 words"}, headers=STREAM) as response:
        (await transcribe(response)).assert_whole("".join(words(3)))
    assert front.gateway.upstreams.shared.left == SHARED_BYTES


async def test_every_answer_has_safe_headers(front: Front) -> None:
    async def headers() -> AsyncIterator[tuple[str, str]]:
        for method, path in [("GET", "/livez"), ("GET", "/readyz"), ("GET", "/agents"), ("GET", "/x"), ("PUT", CHAT)]:
            async with front.client.request(method, path) as response:
                yield response.headers["X-Content-Type-Options"], response.headers["Cache-Control"]
        async with front.client.post(CHAT, json=QUESTION) as response:
            yield response.headers["X-Content-Type-Options"], response.headers["Cache-Control"]

    assert {each async for each in headers()} == {("nosniff", "no-store")}
