"""Conversations on a real cluster: they outlive pods, belong to one caller, and streams go on from any pod."""

import asyncio

import aiohttp
import pytest

from slipway_runtime.events import Delta
from tests.support.chat import STREAM, Transcript, events, transcribe
from tests.support.chatting import AGENT, QUESTION, ask, chat_path, longest
from tests.support.cluster import OTHER_KEY, Gateway, Installation, asking_as

pytestmark = pytest.mark.cluster

SESSIONS = f"/agents/{AGENT}/sessions"
RUNS = f"/agents/{AGENT}/runs"


async def test_a_session_outlives_every_pod_that_served_it(
    asking: aiohttp.ClientSession, installation: Installation
) -> None:
    first = await ask(asking)
    session = first["session_id"]
    pods = await asyncio.to_thread(installation.renew, "demo", count=2, agent="handbook")
    await asyncio.to_thread(installation.kill, *(installation.container("demo", pod) for pod in pods))
    second = await ask(asking, "And what is a revision?", session_id=session)
    assert second["session_id"] == session
    async with asking.get(f"{SESSIONS}/{session}") as response:
        turns = (await response.json())["turns"]
    assert [turn["question"] for turn in turns] == [QUESTION, "And what is a revision?"]
    assert [turn["answer"] for turn in turns] == [first["answer"], second["answer"]]


async def test_a_session_is_nobody_elses(asking: aiohttp.ClientSession, cluster_gateway: Gateway) -> None:
    session = (await ask(asking))["session_id"]
    async with asking_as(cluster_gateway, OTHER_KEY) as other:
        async with other.get(f"{SESSIONS}/{session}") as response:
            assert (response.status, (await response.json())["reason"]) == (404, "SessionNotFound")
        async with other.delete(f"{SESSIONS}/{session}") as response:
            assert response.status == 404
        async with other.post(chat_path(), json={"question": QUESTION, "session_id": session}) as response:
            assert response.status == 404
    async with asking.get(f"{SESSIONS}/{session}") as response:
        assert response.status == 200


async def test_a_client_that_comes_back_gets_each_event_once(asking: aiohttp.ClientSession) -> None:
    question, answer = await longest(asking)
    begun = await _until_first_piece(asking, question)
    rest = await _go_on(asking, begun)
    Transcript([*begun.events, *rest.events]).assert_whole(answer)
    again = await _go_on(asking, begun)
    assert again.events == rest.events


async def test_a_run_that_nobody_watches_is_taken_over_when_its_pod_dies(
    asking: aiohttp.ClientSession, installation: Installation
) -> None:
    pods = await asyncio.to_thread(installation.renew, "demo", count=2, agent="handbook")
    question, answer = await longest(asking)
    containers = [installation.container("demo", pod) for pod in pods]
    begun = await _until_first_piece(asking, question)
    await asyncio.to_thread(installation.kill, *containers)
    rest = await _go_on(asking, begun)
    whole = Transcript([*begun.events, *rest.events])
    whole.assert_whole(answer)
    assert whole.restarts >= 1
    async with asking.get(f"{RUNS}/{begun.ids[-1].run}") as response:
        assert (response.status, (await response.json())["answer"]) == (200, answer)


async def _until_first_piece(asking: aiohttp.ClientSession, question: str) -> Transcript:
    """The beginning of a stream, left in the middle."""
    begun = Transcript()
    async with asking.post(chat_path(), json={"question": question}, headers=STREAM) as response:
        assert response.status == 200, await response.text()
        async for number, event in events(response):
            begun.events.append((number, event))
            if isinstance(event, Delta):
                return begun
    raise AssertionError("the stream ended without a piece of an answer")


async def _go_on(asking: aiohttp.ClientSession, begun: Transcript) -> Transcript:
    last = begun.ids[-1]
    async with asking.get(f"{RUNS}/{last.run}", headers={**STREAM, "Last-Event-ID": str(last)}) as response:
        return await transcribe(response)
