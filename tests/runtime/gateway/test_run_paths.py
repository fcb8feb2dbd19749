"""Runs through the gateway, over real hosts: waiting, answering, cancelling, listing, and asking only once."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from slipway_runtime.gateway.auth import new_key
from tests.runtime.gateway.conftest import CHAT, SUPPORT, Front, StartFront, StartHost
from tests.support.chat import STREAM, events, transcribe
from tests.support.waiting import until

RUNS = f"/agents/{SUPPORT}/runs"
ASKS = {"question": "ask me, then say 3 words"}


async def call(front: Front, method: str, path: str, **options: Any) -> tuple[int, Any]:
    """Status and JSON body."""
    async with front.client.request(method, path, **options) as response:
        return response.status, (await response.json(content_type=None) if response.status != 204 else None)


@pytest.fixture
async def pair(start_front: StartFront, start_host: StartHost) -> Front:
    """An open gateway with two pods behind it, which take turns."""
    urls = [(await start_host(name=name))[1] for name in ("one", "two")]
    front = await start_front()
    front.routes.set(SUPPORT, urls)
    return front


async def test_a_run_that_waits_is_answered_through_any_pod(pair: Front) -> None:
    status, waiting = await call(pair, "POST", CHAT, json=ASKS)
    assert (status, waiting["state"]) == (202, "waiting")
    asked = waiting["input_required"]
    assert (asked["kind"], asked["prompt"], asked["answerers"]) == ("approval", "Go on?", ["caller"])
    assert (await call(pair, "GET", waiting["run_at"]))[0] == 202
    _, session = await call(pair, "GET", f"/agents/{SUPPORT}/sessions/{waiting['session_id']}")
    assert session["turns"][0]["outcome"] == "waiting"
    for body, wanted in (
        ({}, (422, "InvalidRequest")),
        ({"approved": 1}, (422, "InvalidRequest")),
        ({"answer": {}}, (422, "InvalidRequest")),
    ):
        status, problem = await call(pair, "POST", waiting["answer_at"], json=body)
        assert (status, problem["reason"]) == wanted
    status, given = await call(pair, "POST", waiting["answer_at"], json={"approved": True})
    assert (status, given) == (200, {"run_id": waiting["run_id"], "input": asked["id"], "approved": True})
    status, answer = await call(pair, "GET", waiting["run_at"])
    assert (status, answer["answer"]) == (200, "word0 word1 word2 ")
    status, problem = await call(pair, "POST", waiting["answer_at"], json={"approved": True})
    assert (status, problem["reason"]) == (409, "InputNotOpen")
    status, problem = await call(pair, "POST", f"{waiting['run_at']}/input/other", json={"approved": True})
    assert (status, problem["reason"]) == (404, "InputNotFound")


async def test_a_stream_stays_open_while_its_run_waits(pair: Front) -> None:
    async with pair.client.post(CHAT, json=ASKS, headers=STREAM) as response:
        seen = []
        async for number, event in events(response):
            seen.append(event.type)
            if event.type == "input_required":
                path = f"{RUNS}/{number.run}/input/go"
                assert (await call(pair, "POST", path, json={"approved": True}))[0] == 200
    assert seen[:2] == ["started", "input_required"]
    assert seen[2:5] == ["input_given", "restarted", "started"]
    assert seen[-1] == "done"


async def test_a_repeated_question_attaches_to_its_run(pair: Front) -> None:
    question, headers = {"question": "say 5 words"}, {"Idempotency-Key": "3f2c-1"}
    answers = await asyncio.gather(*(call(pair, "POST", CHAT, json=question, headers=headers) for _ in range(6)))
    assert {status for status, _ in answers} == {200}
    assert len({answer["run_id"] for _, answer in answers}) == 1
    async with pair.client.post(CHAT, json=question, headers={**headers, **STREAM}) as response:
        again = await transcribe(response)
    assert again.ids[0].run == answers[0][1]["run_id"]
    assert len((await call(pair, "GET", RUNS))[1]["runs"]) == 1
    status, problem = await call(pair, "POST", CHAT, json={"question": "say 6 words"}, headers=headers)
    assert (status, problem["reason"]) == (422, "InvalidRequest")
    _, other = await call(pair, "POST", CHAT, json=question, headers={"Idempotency-Key": "3f2c-2"})
    assert other["run_id"] != answers[0][1]["run_id"]


@pytest.mark.parametrize("key", ["", " ", "two words", "x" * 256, "é"])
async def test_an_odd_key_is_refused(front: Front, key: str) -> None:
    status, problem = await call(front, "POST", CHAT, json={"question": "hi"}, headers={"Idempotency-Key": key})
    assert (status, problem["reason"]) == (422, "InvalidRequest")


async def test_a_key_is_its_callers_alone(start_front: StartFront, start_host: StartHost, tmp_path: Path) -> None:
    _, url = await start_host()
    keys = {name: new_key(name) for name in ("alice", "bob")}
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [entry.model_dump() for _, entry in keys.values()]}))
    front = await start_front(auth_mode="apikeys", api_keys_file=path)
    front.routes.set(SUPPORT, [url])
    runs = set()
    for key, _ in keys.values():
        headers = {"X-API-Key": key, "Idempotency-Key": "same"}
        status, answer = await call(front, "POST", CHAT, json={"question": "hi"}, headers=headers)
        assert status == 200
        runs.add(answer["run_id"])
        _, listed = await call(front, "GET", RUNS, headers={"X-API-Key": key})
        assert [run["run_id"] for run in listed["runs"]] == [answer["run_id"]]
    assert len(runs) == 2


async def test_cancelling_and_listing(start_front: StartFront, start_host: StartHost) -> None:
    host, url = await start_host(delta_delay=0.05)
    front = await start_front()
    front.routes.set(SUPPORT, [url])
    async with front.client.post(CHAT, json={"question": "say 5000 words"}, headers=STREAM) as response:
        run = (await anext(events(response)))[0].run
        for _ in range(2):
            assert (await call(front, "DELETE", f"{RUNS}/{run}"))[0] == 204
        assert (await transcribe(response)).events[-1][1].type == "cancelled"
    await until(lambda: host.runs.in_flight == 0, "the agent is stopped")
    status, problem = await call(front, "GET", f"{RUNS}/{run}")
    assert (status, problem["reason"]) == (409, "Cancelled")
    _, listed = await call(front, "GET", RUNS, params={"state": "cancelled"})
    assert [(each["run_id"], each["state"]) for each in listed["runs"]] == [(run, "cancelled")]
    session = listed["runs"][0]["session_id"]
    assert len((await call(front, "GET", RUNS, params={"session": session}))[1]["runs"]) == 1
    for odd in ({"state": "over"}, {"page": "x"}, {"page": "1.5-x"}):
        status, problem = await call(front, "GET", RUNS, params=odd)
        assert (status, problem["reason"]) == (422, "InvalidRequest")
    status, problem = await call(front, "DELETE", f"{RUNS}/{'f' * 32}")
    assert (status, problem["reason"]) == (404, "RunNotFound")


async def test_a_session_is_busy_until_its_run_ends(pair: Front) -> None:
    _, waiting = await call(pair, "POST", CHAT, json=ASKS)
    more = {"question": "say 2 words", "session_id": waiting["session_id"]}
    status, problem = await call(pair, "POST", CHAT, json=more)
    assert (status, problem["reason"]) == (409, "SessionBusy")
    assert waiting["run_id"] in problem["detail"]
    patient = asyncio.create_task(call(pair, "POST", CHAT, json=more, params={"wait": "60s"}))
    assert (await call(pair, "POST", waiting["answer_at"], json={"approved": False}))[0] == 200
    status, answer = await patient
    assert (status, answer["answer"]) == (200, "word0 word1 ")
    for odd in ("61s", "x", "1m", "-1s"):
        status, problem = await call(pair, "POST", CHAT, json=more, params={"wait": odd})
        assert (status, problem["reason"]) == (422, "InvalidRequest")
