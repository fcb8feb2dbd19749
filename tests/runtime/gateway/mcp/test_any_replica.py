"""Gateways share nothing, and any of them goes on with any session, for its own caller alone."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from slipway_runtime.gateway.auth import CallerKeyFile, new_key
from slipway_runtime.gateway.routes import Description
from tests.runtime.gateway.conftest import SUPPORT, Front, StartFront, StartHost
from tests.support.mcp_wire import Wire, ask, messages, modern, request
from tests.support.scripted_host import words
from tests.support.waiting import until_async

MCP = f"/agents/{SUPPORT}/mcp"
ALICE, ALICES = new_key("alice")
BOB, BOBS = new_key("bob")
Replicas = Callable[[], Awaitable[Front]]


@pytest.fixture
async def replicas(start_front: StartFront, start_host: StartHost, tmp_path: Path) -> Replicas:
    """Starts one more gateway in front of the same host, for alice and bob."""
    keys = tmp_path / "keys.json"
    keys.write_text(CallerKeyFile(keys=(ALICES, BOBS)).model_dump_json())
    _, url = await start_host(delta_delay=0.02)

    async def start() -> Front:
        front = await start_front(auth_mode="apikeys", api_keys_file=keys)
        front.routes.set(SUPPORT, [url])
        front.routes.describe(SUPPORT, Description())
        return front

    return start


def client(front: Front, path: str = MCP, *, key: str = ALICE, like: Wire | None = None) -> Wire:
    """A client with a key, perhaps with the session of another one."""
    return Wire(front.client, path, {**(like.headers if like else {}), "X-API-Key": key})


async def test_a_stream_goes_on_at_another_gateway(replicas: Replicas) -> None:
    first, second = await replicas(), await replicas()
    wire = client(first)
    await wire.begin()
    progress: list[dict[str, Any]] = []
    async with wire.post(ask("say 20 words", token="t")) as response:
        last = ""
        async for event, message in messages(response):
            last = event
            progress += [message["params"]] if message else []
            if len(progress) == 5:
                break
        response.close()
    async with client(second, like=wire).resume(last) as response:
        assert response.status == 200
        rest = [message async for _, message in messages(response)]
    progress += [message["params"] for message in rest[:-1]]
    assert [each["progress"] for each in progress] == list(range(1, 22))
    assert [each["message"] for each in progress[1:]] == words(20)
    assert rest[-1]["id"] == 1
    assert rest[-1]["result"]["structuredContent"]["answer"] == "".join(words(20))


async def test_a_stream_begins_with_an_id_to_come_back_by(replicas: Replicas) -> None:
    front = await replicas()
    wire = client(front)
    await wire.begin()
    async with wire.post(ask("say 5 words")) as response:
        event, message = await anext(aiter(messages(response)))
        assert message == {}
        response.close()
    async with wire.resume(event) as response:
        found = [message async for _, message in messages(response)]
    assert found[-1]["result"]["structuredContent"]["answer"] == "".join(words(5))


async def test_an_elicitation_is_answered_at_another_gateway(replicas: Replicas) -> None:
    first, second = await replicas(), await replicas()
    wire = client(first)
    await wire.begin({"elicitation": {}})
    async with wire.post(ask("ask me, 2 words")) as response:
        async for _, message in messages(response):
            if message.get("method") == "elicitation/create":
                answer = {"jsonrpc": "2.0", "id": message["id"], "result": {"action": "accept", "content": {}}}
                async with client(second, key=BOB, like=wire).post(answer) as stolen:
                    assert stolen.status == 404
                async with client(second, like=wire).post(answer) as given:
                    assert given.status == 202, await given.text()
            elif "result" in message:
                assert message["result"]["structuredContent"]["answer"] == "".join(words(2))
                return
    raise AssertionError("no result")


async def test_another_callers_session_opens_for_nobody(replicas: Replicas) -> None:
    front = await replicas()
    wire = client(front)
    await wire.begin()
    for thief in (client(front, key=BOB, like=wire), client(front, "/mcp", like=wire)):
        async with thief.post(request("tools/list")) as response:
            assert response.status == 404
            assert "Session not found" in (await response.json())["error"]["message"]
    async with wire.post(ask("say 1 words")) as response:
        event, _ = await anext(aiter(messages(response)))
    bob = client(front, key=BOB)
    await bob.begin()
    async with bob.resume(event) as response:
        assert response.status == 400


async def in_state(front: Front, state: str) -> bool:
    """Whether there is such a run."""
    async with front.client.get(f"/agents/{SUPPORT}/runs?state={state}", headers={"X-API-Key": ALICE}) as response:
        return bool((await response.json())["runs"])


async def test_a_cancelled_request_cancels_its_run_from_any_gateway(replicas: Replicas) -> None:
    first, second = await replicas(), await replicas()
    wire = client(first, "/mcp")
    await wire.begin()
    async with wire.post(ask("say 1000 words", id="mine", tool="support__ask", token=1)) as response:
        await anext(aiter(messages(response)))
        told = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "mine"}}
        async with client(second, "/mcp", like=wire).post(told) as answered:
            assert answered.status == 202
        found = [message async for _, message in messages(response)]
    assert found[-1]["result"]["isError"]
    assert "ByCaller" in found[-1]["result"]["content"][0]["text"]


async def test_who_leaves_cancels_in_the_new_era_alone(replicas: Replicas) -> None:
    front = await replicas()
    message, headers = modern(ask("say 1000 words", token=1))
    async with client(front).post(message, **headers) as response:
        await anext(aiter(messages(response)))
        response.close()
    await until_async(lambda: in_state(front, "cancelled"), "the run is cancelled")
    wire = client(front)
    await wire.begin()
    async with wire.post(ask("say 50 words", token=1)) as response:
        await anext(aiter(messages(response)))
        response.close()
    await until_async(lambda: in_state(front, "done"), "the run goes on to its end")


async def test_a_repeated_request_joins_its_run(replicas: Replicas) -> None:
    first, second = await replicas(), await replicas()
    wire = client(first)
    await wire.begin()
    runs = []
    for front, question in ((first, "say 2 words"), (second, "say 2 words"), (second, "say 3 words")):
        async with client(front, like=wire).post(ask(question, id=7)) as response:
            found = [message async for _, message in messages(response)]
        runs.append(found[-1]["result"]["structuredContent"]["run_id"])
    assert runs[0] == runs[1] != runs[2]
