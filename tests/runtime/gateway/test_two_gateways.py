"""One of two gateways dies in the middle of an answer on every protocol, and clients go on at the other one.

What going on means for each is in `docs/http-api.md`, and here what a client has to do for it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.runtime.gateway.conftest import SUPPORT, StartHost
from tests.support.ag_ui import asks, shown, user
from tests.support.fake_kubernetes import FakeKubernetes
from tests.support.gateway_process import KEY, GatewayProcess, gateway_process, publish
from tests.support.scripted_host import words
from tests.support.waiting import until_async

COUNT = 40
QUESTION = f"say {COUNT} words"
WHOLE = "".join(words(COUNT))
PACE = 0.1
"""Seconds between two words: answers last for a few seconds, in which a gateway dies."""
START_SECONDS = 120.0
AGENT = f"/agents/{SUPPORT}"
BOTH = {"Accept": "application/json, text/event-stream"}
MODERN = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "progressToken": "p",
}
Seen = list[dict[str, Any]]
"""Events of a stream: `id`, `event` and `data`, which is parsed if it is JSON."""


async def events(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """Of a stream of server-sent events; it may end early."""
    assert response.status == 200, await response.text()
    event: dict[str, Any] = {}
    try:
        async for line in response.content:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name in ("id", "event", "data"):
                event[name] = json.loads(value) if name == "data" and value.startswith("{") else value
            elif not name and event:
                yield event
                event = {}
    except aiohttp.ClientError:
        return


class Talk:
    """One client on one protocol: what it saw before its gateway died, and how it goes on."""

    def __init__(self, begin: Callable[["Talk"], Awaitable[Any]], go_on: Callable[["Talk"], Awaitable[str]]) -> None:
        self.begin, self.go_on = begin, go_on
        self.seen: Seen = []
        self.begun = asyncio.Event()
        self.client: aiohttp.ClientSession
        self.kept: dict[str, str] = {}

    async def follow(self, method: str, path: str, *, some: int = 3, **given: Any) -> None:
        """Read a stream to its end, or to the gateway's; a few events in, the answer has begun."""
        async with self.client.request(method, path, **given) as response:
            self.kept |= {name.lower(): value for name, value in response.headers.items()}
            async for event in events(response):
                self.seen.append(event)
                if len(self.seen) >= some:
                    self.begun.set()

    async def whole(self, path: str, body: object, **headers: str) -> Any:
        async with self.client.post(path, json=body, headers={**BOTH, **headers}) as response:
            assert response.status == 200, await response.text()
            self.kept |= {name.lower(): value for name, value in response.headers.items()}
            return await response.json()


def last_id(talk: Talk) -> str:
    return str([event["id"] for event in talk.seen if "id" in event][-1])


# --- chat: the events after the last one


async def begin_chat(talk: Talk) -> None:
    headers = {"Accept": "text/event-stream"}
    await talk.follow("POST", f"{AGENT}/chat", json={"question": QUESTION}, headers=headers)


async def go_on_with_chat(talk: Talk) -> str:
    run, after = last_id(talk).split(".")[0], last_id(talk)
    headers = {"Accept": "text/event-stream", "Last-Event-ID": after}
    await talk.follow("GET", f"{AGENT}/runs/{run}", headers=headers)
    ids = [event["id"] for event in talk.seen]
    assert len(ids) == len(set(ids)), "every event came once"
    return "".join(event["data"]["text"] for event in talk.seen if event.get("event") == "delta")


# --- OpenAI: the next request


def completion() -> dict[str, Any]:
    messages = [{"role": "user", "content": QUESTION}]
    return {"model": str(SUPPORT), "messages": messages, "stream": True}


async def begin_openai(talk: Talk) -> None:
    await talk.follow("POST", "/v1/chat/completions", json=completion())


async def go_on_with_openai(talk: Talk) -> str:
    assert talk.seen[-1]["data"] != "[DONE]", "a client sees that it has not all"
    talk.seen.clear()
    await begin_openai(talk)
    assert talk.seen.pop()["data"] == "[DONE]"
    return "".join(event["data"]["choices"][0]["delta"].get("content") or "" for event in talk.seen)


# --- AG-UI: the same run again


async def begin_ag_ui(talk: Talk) -> None:
    await talk.follow("POST", f"{AGENT}/ag-ui", json=asks(user(QUESTION)), headers=BOTH)


async def go_on_with_ag_ui(talk: Talk) -> str:
    run = talk.seen[0]["data"]["runId"]
    talk.seen.clear()
    await begin_ag_ui(talk)
    found = [event["data"] for event in talk.seen]
    assert (found[0]["runId"], found[-1]["type"]) == (run, "RUN_FINISHED")
    return shown(found)


# --- A2A: to subscribe to the task


def rpc(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


async def begin_a2a(talk: Talk) -> None:
    message = {"messageId": "m-1", "role": "ROLE_USER", "parts": [{"text": QUESTION}]}
    body = rpc("SendStreamingMessage", message=message)
    await talk.follow("POST", f"{AGENT}/a2a", json=body, headers={**BOTH, "A2A-Version": "1.0"})


async def go_on_with_a2a(talk: Talk) -> str:
    task = talk.seen[0]["data"]["result"]["task"]["id"]
    talk.seen.clear()
    body = rpc("SubscribeToTask", id=task)
    await talk.follow("POST", f"{AGENT}/a2a", json=body, headers={**BOTH, "A2A-Version": "1.0"})
    first, *updates = [event["data"]["result"] for event in talk.seen]
    assert first["task"]["id"] == task
    assert updates[-1]["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"
    text = "".join(part.get("text", "") for each in first["task"].get("artifacts", []) for part in each["parts"])
    for update in (each["artifactUpdate"] for each in updates if "artifactUpdate" in each):
        said = "".join(part.get("text", "") for part in update["artifact"]["parts"])
        text = (text if update.get("append") else "") + said
    return text


# --- MCP: by event ids with a session, and without one the next request


def call() -> dict[str, Any]:
    return rpc("tools/call", name="ask", arguments={"question": QUESTION}, _meta={"progressToken": "p"})


async def begin_mcp(talk: Talk) -> None:
    asked = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    await talk.whole(f"{AGENT}/mcp", rpc("initialize", **asked))
    session = {"Mcp-Session-Id": talk.kept["mcp-session-id"], "MCP-Protocol-Version": "2025-11-25"}
    await talk.follow("POST", f"{AGENT}/mcp", json=call(), headers={**BOTH, **session})


async def go_on_with_mcp(talk: Talk) -> str:
    headers = {
        "Accept": "text/event-stream",
        "Mcp-Session-Id": talk.kept["mcp-session-id"],
        "MCP-Protocol-Version": "2025-11-25",
        "Last-Event-ID": last_id(talk),
    }
    await talk.follow("GET", f"{AGENT}/mcp", headers=headers)
    last = talk.seen[-1]["data"]
    assert last["id"] == 1
    return str(last["result"]["content"][0]["text"])


def modern() -> tuple[dict[str, Any], dict[str, str]]:
    headers = {**BOTH, "MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "ask"}
    return rpc("tools/call", name="ask", arguments={"question": QUESTION}, _meta=META), headers


async def begin_modern_mcp(talk: Talk) -> None:
    body, headers = modern()
    await talk.follow("POST", f"{AGENT}/mcp", json=body, headers=headers)


async def go_on_with_modern_mcp(talk: Talk) -> str:
    assert "result" not in talk.seen[-1]["data"]
    talk.seen.clear()
    await begin_modern_mcp(talk)
    return str(talk.seen[-1]["data"]["result"]["content"][0]["text"])


TALKS = {
    "chat": (begin_chat, go_on_with_chat),
    "OpenAI": (begin_openai, go_on_with_openai),
    "AG-UI": (begin_ag_ui, go_on_with_ag_ui),
    "A2A": (begin_a2a, go_on_with_a2a),
    "MCP 2025-11-25": (begin_mcp, go_on_with_mcp),
    "MCP 2026-07-28": (begin_modern_mcp, go_on_with_modern_mcp),
}


@pytest.fixture
async def gateways(
    cluster: FakeKubernetes, start_host: StartHost, tmp_path: Path, stack: AsyncExitStack
) -> list[GatewayProcess]:
    """Two, which know nothing of each other, in front of one host."""
    _, host = await start_host(delta_delay=PACE)
    publish(cluster, host, spec={"architecture": "langgraph"})
    started = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        started.append(stack.enter_context(gateway_process(tmp_path / name, cluster)))
    for gateway in started:
        client = await stack.enter_async_context(aiohttp.ClientSession(gateway.url))
        await until_async(lambda: gateway.ready(client), "the gateway is ready", deadline=START_SECONDS)  # noqa: B023
    return started


async def test_every_protocol_goes_on_at_the_other_gateway(
    gateways: list[GatewayProcess], stack: AsyncExitStack
) -> None:
    one, two = gateways
    talks = {name: Talk(*steps) for name, steps in TALKS.items()}
    headers = {"Authorization": f"Bearer {KEY}"}
    clients = [await stack.enter_async_context(aiohttp.ClientSession(each.url, headers=headers)) for each in (one, two)]
    for talk in talks.values():
        talk.client = clients[0]
    begun = [asyncio.create_task(talk.begin(talk)) for talk in talks.values()]  # type: ignore[arg-type, var-annotated]
    async with asyncio.timeout(START_SECONDS):
        await asyncio.gather(*(talk.begun.wait() for talk in talks.values()))
    one.process.kill()
    await asyncio.gather(*begun)
    for talk in talks.values():
        talk.client = clients[1]
    answers = await asyncio.gather(*(talk.go_on(talk) for talk in talks.values()))
    assert dict(zip(talks, answers, strict=True)) == dict.fromkeys(talks, WHOLE)
