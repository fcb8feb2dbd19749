"""A program of the user's that is an agent, asked by A2A: the example's, over HTTP, behind a real host and gateway."""

import importlib.util
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from slipway_runtime.agents.calling import CallFailed
from slipway_runtime.agents.container_agent import ContainerAgent
from slipway_runtime.agents.remote_agents import RemoteAgent, endpoint_of
from slipway_runtime.events import Delta, Discarded, Done, Event, Failed, InputRequired
from slipway_runtime.gateway.app import create_app
from slipway_runtime.gateway.main import assembled
from slipway_runtime.gateway.routes import RouteTable
from slipway_runtime.host.app import create_host_app
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.host.lifecycle import Host
from slipway_runtime.identity import IdentitySigner, IdentityVerifier
from slipway_runtime.protocols.ask import Ask, TextPart
from slipway_runtime.settings import GatewaySettings
from slipway_runtime.store.opening import open_database
from tests.runtime.gateway.conftest import SUPPORT
from tests.support.scripted_host import SEED, Options, config
from tests.support.servers import free_port
from tests.support.serving import served

EXAMPLE = Path(__file__).parents[3] / "examples" / "program" / "desk.py"
ASK = Ask(parts=(TextPart(text="Where is order 1001?"),))


def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("desk", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
async def program(stack: AsyncExitStack) -> str:
    """The example's URL."""
    port = free_port()
    app = example().make(f"http://127.0.0.1:{port}/")
    return await stack.enter_async_context(served(app, port=port))


async def events_of(url: str, *, key: str = "run/ask") -> list[Event]:
    remote = RemoteAgent(url)
    try:
        return [each async for each in remote.call(ASK, key=key, name="desk").events()]
    finally:
        await remote.close()


@pytest.mark.proves("Agent.custom.port")
async def test_the_program_answers_through_host_and_gateway(
    program: str, stack: AsyncExitStack, sqlite_dsn: str
) -> None:
    signer = IdentitySigner.from_seed(SEED)
    database = await open_database(sqlite_dsn)
    stack.push_async_callback(database.close)
    options = Options(dsn="", public_key="")
    agent = ContainerAgent(config(str(SUPPORT), options), int(program.rsplit(":", 1)[1]))
    stack.push_async_callback(agent.close)
    assert await agent.missing() == []
    host = Host(database, verifier=IdentityVerifier([signer.public_key]), host_id="host")
    host.serve([HostedAgent(config(str(SUPPORT), options), agent)])
    settings = GatewaySettings(auth_mode="open")
    gateway = await stack.enter_async_context(assembled(settings, routes=RouteTable(), signer=signer))
    gateway.routes.set(SUPPORT, [await stack.enter_async_context(served(create_host_app(host)))])
    url = await stack.enter_async_context(served(create_app(gateway)))
    client = await stack.enter_async_context(aiohttp.ClientSession(url))
    assert await asked(client, "Where is order 1001?") == (200, "Order 1001 is on its way.")
    status, detail = await asked(client, "Where is it?")
    assert status == 500
    assert "Name the number of your order." in detail


async def asked(client: aiohttp.ClientSession, question: str) -> tuple[int, str]:
    async with client.post(f"/agents/{SUPPORT}/chat", json={"question": question}) as response:
        answer = await response.json()
    return response.status, answer.get("answer") or answer["detail"]


async def test_a_program_that_is_not_there_is_named_in_readiness() -> None:
    port = free_port()
    agent = ContainerAgent(config(str(SUPPORT), Options(dsn="", public_key="")), port)
    (missing,) = await agent.missing()
    assert f"the program of spec.custom.image at port {port}" in missing
    await agent.close()


CARD = {
    "supportedInterfaces": [{"url": "http://127.0.0.1:1/", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}],
    "capabilities": {"streaming": True},
}


def test_a_card_that_claims_another_agents_url_is_refused() -> None:
    assert endpoint_of(CARD, "http://127.0.0.1:1/x").streams
    for url in ("http://127.0.0.1:2/", "https://127.0.0.1:1/", "http://billing.svc:1/", "http://127.0.0.1:x/"):
        interface = {**CARD["supportedInterfaces"][0], "url": url}  # type: ignore[index]
        with pytest.raises(CallFailed, match="another origin"):
            endpoint_of({"supportedInterfaces": [interface]}, "http://127.0.0.1:1/x")


@pytest.mark.parametrize("card", [[], {}, {"supportedInterfaces": [{"protocolBinding": "GRPC"}, 1]}])
def test_a_card_without_a_place_to_ask_is_refused(card: object) -> None:
    with pytest.raises(CallFailed, match="names no JSON-RPC interface"):
        endpoint_of(card, "http://127.0.0.1:1/")


class Scripted:
    """A remote agent that sends what a test says, and remembers what it was asked."""

    def __init__(self, *frames: object, html: bool = False) -> None:
        self.frames = frames
        self.html = html
        self.asked: list[dict[str, Any]] = []
        self.url = ""

    async def card(self, _: Request) -> Response:
        if self.html:
            return HTMLResponse("<html>")
        interface = {"url": self.url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
        return JSONResponse({"supportedInterfaces": [interface], "capabilities": {"streaming": True}})

    async def answer(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(body)
        if body["method"] != "SendStreamingMessage":
            return JSONResponse({"result": {"id": "t", "status": {"state": "TASK_STATE_COMPLETED"}}})

        async def frames() -> AsyncIterator[bytes]:
            for each in self.frames:
                yield b"data: " + (each if isinstance(each, bytes) else json.dumps(each).encode()) + b"\n\n"

        return StreamingResponse(frames(), media_type="text/event-stream")

    async def serve(self, stack: AsyncExitStack) -> str:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/a2a"
        routes = [
            Route("/a2a/.well-known/agent-card.json", self.card),
            Route("/a2a", self.answer, methods=["POST"]),
        ]
        await stack.enter_async_context(served(Starlette(routes=routes), port=port))
        return self.url


def status(state: str, text: str = "") -> dict[str, Any]:
    message = {"message": {"parts": [{"text": text}]}} if text else {}
    return {"result": {"statusUpdate": {"taskId": "t", "status": {"state": f"TASK_STATE_{state}", **message}}}}


def says(text: str, *, append: bool) -> dict[str, Any]:
    artifact = {"artifactId": "a", "parts": [{"text": text}]}
    return {"result": {"artifactUpdate": {"taskId": "t", "artifact": artifact, "append": append}}}


async def test_text_that_is_replaced_is_void(stack: AsyncExitStack) -> None:
    scripted = Scripted(status("WORKING"), says("On", append=False), says("Off", append=False), status("COMPLETED"))
    events = await events_of(await scripted.serve(stack))
    assert [type(each) for each in events] == [Delta, Discarded, Delta, Done]
    assert isinstance(events[-1], Done)
    assert events[-1].answer == "Off"


async def test_a_question_that_is_sent_again_has_the_same_message_id(stack: AsyncExitStack) -> None:
    scripted = Scripted(status("COMPLETED", "Hello"))
    url = await scripted.serve(stack)
    for key in ("run/ask", "run/ask", "other/ask"):
        await events_of(url, key=key)
    first, second, third = (each["params"]["message"]["messageId"] for each in scripted.asked)
    assert first == second != third


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([b"<html>"], "no JSON"),
        ([{"result": [1]}], "no object"),
        ([{"jsonrpc": "2.0"}], "without a result"),
        ([{"error": {"code": -32603, "message": "Overloaded"}}], "-32603: Overloaded"),
        ([says("x" * 600_000, append=False), says("x" * 600_000, append=True)], "more than 1048576 characters"),
        ([b'"' + b"x" * (9 * 1024 * 1024)], "more than 8388608 bytes"),
    ],
)
async def test_what_no_agent_sends_is_refused(frames: list[object], message: str, stack: AsyncExitStack) -> None:
    with pytest.raises(CallFailed, match=message):
        await events_of(await Scripted(*frames).serve(stack))


async def test_a_page_in_place_of_a_card(stack: AsyncExitStack) -> None:
    with pytest.raises(CallFailed, match="no JSON"):
        await events_of(await Scripted(html=True).serve(stack))


async def test_how_tasks_end(stack: AsyncExitStack) -> None:
    failed = await events_of(await Scripted(status("FAILED", "No order")).serve(stack))
    assert isinstance(failed[-1], Failed)
    assert "No order" in failed[-1].message
    waits = await events_of(await Scripted(status("INPUT_REQUIRED", "Which?")).serve(stack))
    assert isinstance(waits[-1], InputRequired)


async def test_a_task_whose_stream_broke_off_is_looked_up(stack: AsyncExitStack) -> None:
    scripted = Scripted(says("Half", append=False), status("WORKING"))
    events = await events_of(await scripted.serve(stack))
    assert isinstance(events[-1], Done)
    assert [each["method"] for each in scripted.asked] == ["SendStreamingMessage", "GetTask"]
