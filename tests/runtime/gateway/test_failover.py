"""Pods die, drain, fill up and come late; clients of the gateway get whole answers all the same, or a clear refusal."""

import asyncio
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from openai import APIError, AsyncOpenAI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from slipway_runtime.events import Failed
from slipway_runtime.gateway.upstream import BROKEN_LIMIT
from slipway_runtime.identity import HEADER, IdentitySigner
from slipway_runtime.protocols.headers import RUN_HEADER
from tests.runtime.gateway.conftest import CHAT, SUPPORT, Front, StartFront, StartHost
from tests.support.chat import STREAM, Transcript, events, transcribe
from tests.support.scripted_host import Options, spawn, words
from tests.support.servers import free_port
from tests.support.serving import served
from tests.support.waiting import DEADLINE, until, until_async

QUESTION = {"question": "say 5 words"}
ANSWER = "".join(words(5))
StartPod = Callable[..., "Pod"]


class Pod:
    """A host as a process of its own."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.url = f"http://127.0.0.1:{options.port}"
        self.process: subprocess.Popen[bytes] = spawn(options)

    async def alive(self, client: aiohttp.ClientSession, *, deadline: float = DEADLINE) -> None:
        """Wait until it answers, at most so many seconds."""

        async def answers() -> bool:
            assert self.process.poll() is None, "the host ended"
            try:
                async with client.get(self.url + "/livez") as response:
                    return response.status == 200
            except aiohttp.ClientConnectionError:
                return False

        await until_async(answers, f"{self.options.name} is up", deadline=deadline)

    def kill(self) -> None:
        """As a node that loses power would."""
        self.process.kill()
        self.process.wait()

    def start_again(self) -> None:
        """At the same address, as a container that is restarted."""
        self.process = spawn(self.options)


@pytest.fixture
async def start_pod(postgres_dsn: str, signer: IdentitySigner) -> AsyncIterator[StartPod]:
    """Start a host process over the test's Postgres."""
    pods: list[Pod] = []

    def start(**options: object) -> Pod:
        chosen = {"dsn": postgres_dsn, "public_key": signer.public_key, "port": free_port(), **options}
        pods.append(Pod(Options(**{"name": f"host-{len(pods)}", **chosen})))  # type: ignore[arg-type]
        return pods[-1]

    yield start
    for pod in pods:
        pod.kill()


async def ask_streaming(front: Front, count: int) -> Transcript:
    async with front.client.post(CHAT, json={"question": f"say {count} words"}, headers=STREAM) as response:
        return await transcribe(response)


async def test_a_killed_pod_costs_clients_nothing(start_front: StartFront, start_pod: StartPod) -> None:
    pods = [start_pod(delta_delay=0.05), start_pod(delta_delay=0.05)]
    front = await start_front()
    for pod in pods:
        await pod.alive(front.client)
    front.routes.set(SUPPORT, [pod.url for pod in pods])
    streams = [asyncio.create_task(ask_streaming(front, 60)) for _ in range(4)]
    answers = [asyncio.create_task(_answer(front, 60)) for _ in range(4)]
    endpoints = front.routes.endpoints(SUPPORT)
    await until(lambda: [each.in_flight for each in endpoints] == [4, 4], "each pod has its share")
    async with front.client.post(CHAT, json={"question": "say 60 words"}, headers=STREAM) as response:
        stream = events(response)
        transcript = Transcript([await anext(stream) for _ in range(10)])
        pods[0].kill()
        transcript.events += [each async for each in stream]
    transcripts = [transcript, *await asyncio.gather(*streams)]
    for each in transcripts:
        each.assert_whole("".join(words(60)))
        assert {number.run for number in each.ids} == {each.ids[0].run}
    assert {each.restarts for each in transcripts} == {0, 1}
    assert await asyncio.gather(*answers) == ["".join(words(60))] * 4


async def test_the_only_pod_is_killed_and_comes_back(start_front: StartFront, start_pod: StartPod) -> None:
    pod = start_pod(delta_delay=0.02)
    front = await start_front()
    await pod.alive(front.client)
    front.routes.set(SUPPORT, [pod.url])
    transcript = Transcript()
    async with front.client.post(CHAT, json={"question": "say 40 words"}, headers=STREAM) as response:
        async for each in events(response):
            transcript.events.append(each)
            if len(transcript.events) == 10:
                pod.kill()
                pod.start_again()
    transcript.assert_whole("".join(words(40)))


@pytest.mark.parametrize("hold", [False, True], ids=["as it comes", "held"])
async def test_an_openai_stream_ends_with_an_error_when_its_text_is_void(
    start_front: StartFront, start_pod: StartPod, hold: bool
) -> None:
    pods = [start_pod(delta_delay=0.05), start_pod()]
    front = await start_front()
    for pod in pods:
        await pod.alive(front.client)
    front.routes.set(SUPPORT, [pods[0].url])
    text = ""
    async with AsyncOpenAI(base_url=f"{front.url}/v1", api_key="none", timeout=120) as client:
        stream = await client.chat.completions.create(
            model=str(SUPPORT),
            messages=[{"role": "user", "content": "say 60 words"}],
            stream=True,
            extra_headers={"X-Slipway-Hold-Text": str(hold)},
        )
        error: str | None = None
        try:
            async for chunk in stream:
                text += chunk.choices[0].delta.content or ""
                if text or hold:
                    front.routes.set(SUPPORT, [pods[1].url])
                    pods[0].kill()
        except APIError as failed:
            error = failed.code
    assert error == (None if hold else "answer_restarted")
    assert (text == "".join(words(60))) is hold


async def test_a_question_that_kills_pods_is_not_passed_on_for_ever(start_front: StartFront) -> None:
    asked = 0

    async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await reader.readuntil(b"\r\n\r\n")
        asked += 1
        writer.transport.abort()

    async with AsyncExitStack() as pods:
        servers = [
            await pods.enter_async_context(await asyncio.start_server(die, "127.0.0.1", free_port())) for _ in range(9)
        ]
        front = await start_front()
        urls = [f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}" for server in servers]
        front.routes.set(SUPPORT, urls)
        async with front.client.post(CHAT, json=QUESTION) as response:
            assert (response.status, (await response.json(content_type=None))["reason"]) == (503, "NoPodReady")
    assert asked == BROKEN_LIMIT


async def _answer(front: Front, count: int) -> str:
    async with front.client.post(CHAT, json={"question": f"say {count} words"}) as response:
        assert response.status == 200, await response.text()
        answer: str = (await response.json())["answer"]
        return answer


async def test_a_draining_pod_hands_new_questions_on_and_ends_its_own(
    start_front: StartFront, start_host: StartHost
) -> None:
    draining, url = await start_host(name="a", delta_delay=0.05)
    _, other_url = await start_host(name="b")
    front = await start_front()
    front.routes.set(SUPPORT, [url])
    stream = asyncio.create_task(ask_streaming(front, 60))
    await until(lambda: draining.runs.in_flight == 1, "the stream is open")
    draining.drain()
    front.routes.set(SUPPORT, [url, other_url])
    assert [await _answer(front, 5) for _ in range(4)] == [ANSWER] * 4
    assert draining.runs.in_flight == 1
    (await stream).assert_whole("".join(words(60)))


async def test_a_question_is_held_until_a_pod_is_ready(start_front: StartFront, start_host: StartHost) -> None:
    front = await start_front()
    front.routes.set(SUPPORT, [])
    asking = [asyncio.create_task(_answer(front, 5)) for _ in range(20)]
    await until(lambda: front.gateway.upstreams.held.taken == 20, "all are held")
    _, url = await start_host()
    front.routes.set(SUPPORT, [url])
    assert await asyncio.gather(*asking) == [ANSWER] * 20


async def test_holding_ends_with_a_refusal_that_says_when_to_come_back(start_front: StartFront) -> None:
    front = await start_front(hold_seconds=0.1)
    front.routes.set(SUPPORT, [])
    async with front.client.post(CHAT, json=QUESTION) as response:
        problem = await response.json(content_type=None)
    assert (response.status, problem["reason"]) == (503, "NoPodReady")
    assert int(response.headers["Retry-After"]) > 0
    assert "demo/support" in problem["detail"]


async def test_an_agent_that_is_deleted_releases_who_waits_for_it(start_front: StartFront) -> None:
    front = await start_front(hold_seconds=60)
    front.routes.set(SUPPORT, [])
    asking = asyncio.create_task(front.client.post(CHAT, json=QUESTION).__aenter__())
    await until(lambda: front.gateway.upstreams.held.taken == 1, "it is held")
    front.routes.remove(SUPPORT)
    response = await asking
    assert (response.status, (await response.json(content_type=None))["reason"]) == (404, "AgentNotFound")


async def test_only_so_many_are_held(start_front: StartFront, start_host: StartHost) -> None:
    front = await start_front(max_in_flight=10)
    front.routes.set(SUPPORT, [])
    held = front.gateway.upstreams.held
    assert held.limit == 5
    asking = [asyncio.create_task(_answer(front, 5)) for _ in range(5)]
    await until(lambda: held.taken == 5, "as many as may be are held")
    async with front.client.post(CHAT, json=QUESTION) as response:
        assert (response.status, (await response.json(content_type=None))["reason"]) == (503, "NoPodReady")
    _, url = await start_host()
    front.routes.set(SUPPORT, [url])
    assert await asyncio.gather(*asking) == [ANSWER] * 5


async def test_a_full_pod_leads_to_the_next_and_full_pods_to_a_refusal(
    start_front: StartFront, start_host: StartHost
) -> None:
    front = await start_front()
    first, first_url = await start_host(name="a", in_flight=1, delta_delay=0.05)
    second, second_url = await start_host(name="b", in_flight=1, delta_delay=0.05)
    front.routes.set(SUPPORT, [first_url])
    streams = [asyncio.create_task(ask_streaming(front, 60))]
    await until(lambda: first.runs.in_flight == 1, "the first pod is full")
    async with front.client.post(CHAT, json=QUESTION) as response:
        assert (response.status, (await response.json(content_type=None))["reason"]) == (429, "Overloaded")
        assert int(response.headers["Retry-After"]) > 0
    front.routes.set(SUPPORT, [first_url, second_url])
    streams.append(asyncio.create_task(ask_streaming(front, 60)))
    await until(lambda: second.runs.in_flight == 1, "the second pod is full")
    for transcript in await asyncio.gather(*streams):
        transcript.assert_whole("".join(words(60)))


async def test_beyond_its_own_bound_the_gateway_refuses_at_once(start_front: StartFront) -> None:
    front = await start_front(max_in_flight=1)
    front.routes.set(SUPPORT, [])
    waiting = asyncio.create_task(front.client.post(CHAT, json=QUESTION).__aenter__())
    await until(lambda: front.gateway.bound.taken == 1, "one is in")
    async with front.client.post(CHAT, json=QUESTION) as response:
        assert (response.status, (await response.json(content_type=None))["reason"]) == (429, "Overloaded")
        assert int(response.headers["Retry-After"]) > 0
    assert (await front.client.get("/readyz")).status == 200
    front.routes.remove(SUPPORT)
    assert (await waiting).status == 404


async def test_a_thousand_at_once_are_answered_or_refused(
    start_front: StartFront, start_host: StartHost, tmp_path: Path
) -> None:
    # A store each: one SQLite file under two hosts would make them wait for each other's writes.
    urls = [(await start_host(name=name, dsn=f"sqlite:///{tmp_path}/{name}.db", in_flight=20))[1] for name in "ab"]
    front = await start_front()
    front.routes.set(SUPPORT, urls)

    async def ask() -> int:
        async with front.client.post(CHAT, json=QUESTION) as response:
            body = await response.json(content_type=None)
            if response.status == 200:
                assert body["answer"] == ANSWER
            else:
                assert response.status in (429, 503), body
                assert int(response.headers["Retry-After"]) > 0
            return response.status

    codes = Counter(await asyncio.gather(*(ask() for _ in range(1000))))
    assert codes.total() == 1000
    assert codes[200] >= 40, codes
    assert codes[429] > 0, codes
    await until(lambda: front.gateway.bound.taken == 0, "every slot is given back")
    assert await ask() == 200


async def test_a_switch_of_revisions_disturbs_no_open_stream(start_front: StartFront, start_host: StartHost) -> None:
    old, old_url = await start_host(name="old", delta_delay=0.05)
    _, new_url = await start_host(name="new")
    front = await start_front()
    front.routes.set(SUPPORT, [old_url])
    streams = [asyncio.create_task(ask_streaming(front, 40)) for _ in range(20)]
    await until(lambda: old.runs.in_flight == 20, "twenty streams are open")
    answers = [asyncio.create_task(_answer(front, 5)) for _ in range(20)]
    front.routes.set(SUPPORT, [new_url])
    answers += [asyncio.create_task(_answer(front, 5)) for _ in range(100)]
    assert await asyncio.gather(*answers) == [ANSWER] * 120
    for transcript in await asyncio.gather(*streams):
        transcript.assert_whole("".join(words(40)))
        assert transcript.restarts == 0


async def test_a_host_with_another_key_is_no_fault_of_the_caller(
    start_front: StartFront, start_host: StartHost
) -> None:
    _, url = await start_host(public_key=IdentitySigner.generate().public_key)
    front = await start_front()
    front.routes.set(SUPPORT, [url])
    async with front.client.post(CHAT, json=QUESTION) as response:
        problem = await response.json(content_type=None)
    assert (response.status, problem["reason"]) == (500, "InternalError")
    assert "identity" in problem["detail"]


class Stub:
    """A pod that does as it is told, to see what reaches it and what becomes of bad manners."""

    def __init__(self) -> None:
        self.seen: list[Request] = []
        self.events = [b'id: RUN.1.1\nevent: started\ndata: {"type":"started","agent":"a","session_id":"s"}\n\n']
        self.app = Starlette(routes=[Route("/{path:path}", self.answer, methods=["GET", "POST"])])

    async def answer(self, request: Request) -> Response:
        self.seen.append(request)

        run = request.headers.get(RUN_HEADER) or request.url.path.rpartition("/")[2]

        async def body() -> AsyncIterator[bytes]:
            for event in self.events:
                yield event.replace(b"RUN", run.encode())

        return StreamingResponse(body(), media_type="text/event-stream")


@pytest.fixture
async def stub(stack: AsyncExitStack) -> tuple[Stub, str]:
    stub = Stub()
    return stub, await stack.enter_async_context(served(stub.app))


async def test_what_a_host_gets_to_see(start_front: StartFront, stub: tuple[Stub, str]) -> None:
    pod, url = stub
    pod.events.append(b'id: RUN.1.2\nevent: failed\ndata: {"type":"failed","reason":"x","message":"y"}\n\n')
    front = await start_front()
    front.routes.set(SUPPORT, [url])
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {
        **STREAM,
        "Authorization": "Bearer secret",
        "X-API-Key": "secret",
        "Cookie": "a=b",
        "X-Forwarded-For": "1.2.3.4",
        RUN_HEADER: "f" * 32,
        HEADER: "forged",
        "traceparent": f"00-{trace}-00f067aa0ba902b7-01",
    }
    async with front.client.post(CHAT, json=QUESTION, headers=headers) as response:
        await response.read()
    (request,) = pod.seen
    assert sorted(request.headers) == sorted(
        ["host", "accept", "content-type", "content-length", "x-slipway-run", "x-slipway-identity", "traceparent"]
    )
    assert request.headers["traceparent"].split("-")[1] == trace
    assert request.headers[RUN_HEADER] != "f" * 32
    assert request.headers[HEADER] != "forged"


async def test_a_stream_that_cannot_be_picked_up_ends_with_a_reason(
    start_front: StartFront, stub: tuple[Stub, str]
) -> None:
    pod, url = stub
    front = await start_front()
    front.routes.set(SUPPORT, [url])
    async with front.client.post(CHAT, json=QUESTION, headers=STREAM) as response:
        lines = [line async for line in response.content]
    resumed = [request for request in pod.seen if request.method == "GET"]
    assert resumed
    run = pod.seen[0].headers[RUN_HEADER]
    assert {request.headers["last-event-id"] for request in resumed} == {f"{run}.1.1"}
    last = next(line for line in reversed(lines) if line.startswith(b"data: "))
    failed = Failed.model_validate_json(last[6:])
    assert failed.reason == "NoPodReady"
    assert f"/agents/{SUPPORT}/runs/" in failed.message
