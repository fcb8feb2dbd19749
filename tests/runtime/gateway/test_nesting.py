"""Agents that ask agents by a grant: whom they reach, for how long, and that nobody else gains by it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from slipway_runtime import grants
from slipway_runtime.gateway.admission import Bound, Full
from slipway_runtime.gateway.routes import AgentKey, Description, Reach
from slipway_runtime.grants import Grant
from slipway_runtime.identity import ANONYMOUS, Caller, IdentitySigner
from slipway_runtime.problems import Problem
from slipway_runtime.store.opening import open_database
from tests.runtime.gateway.conftest import Front, StartFront, StartHost
from tests.support.asking import ask_json
from tests.support.chat import STREAM, events, transcribe
from tests.support.waiting import until

LEAD, HR, IT = (AgentKey("demo", name) for name in ("lead", "hr", "it"))
ALICE = Caller.by_key("alice")


@pytest.fixture
async def team(start_front: StartFront, start_host: StartHost) -> Front:
    """An agent `lead` that may ask `hr`, and `it` that nobody may ask, on two pods."""
    urls = [(await start_host(name=name, agents=tuple(map(str, (LEAD, HR, IT)))))[1] for name in ("one", "two")]
    front = await start_front()
    for agent in (LEAD, HR, IT):
        front.routes.set(agent, urls)
    front.routes.describe(LEAD, Description(), Reach(frozenset({HR, AgentKey("demo", "missing")}), 60.0))
    return front


async def waiting_run(front: Front) -> str:
    """A run of `lead` that goes on until it is cancelled."""
    async with front.client.post(f"/agents/{LEAD}/chat", json={"question": "ask me"}) as response:
        assert response.status == 202
        return str((await response.json())["run_id"])


def bearer(front: Front, run: str, *, key: str = "step-1", **changes: Any) -> dict[str, str]:
    """Headers that bring the grant of a run of `lead`."""
    grant = grants.first(ANONYMOUS, actor=str(LEAD), run=run, seconds=60)
    token = grants.sign(Grant(**{**vars(grant), **changes}), front.gateway.signer)
    return {"Authorization": f"Bearer {token}", "Idempotency-Key": key}


async def call(front: Front, method: str, path: str, **options: Any) -> tuple[int, Any]:
    """Status and JSON body; the reason of a problem."""
    async with front.client.request(method, path, **options) as response:
        body: Any = await response.json(content_type=None) if response.status != 204 else None
        return response.status, body["reason"] if response.status >= 400 else body


async def test_a_run_of_an_agent_with_members_gets_a_grant_and_others_get_none(team: Front) -> None:
    nesting = team.gateway.nesting
    token = nesting.mint(ALICE, agent=LEAD, run="a" * 32)
    assert token is not None
    grant = nesting.read(token)
    assert (grant.caller, grant.actor, grant.run, grant.depth) == (ALICE, str(LEAD), "a" * 32, 1)
    assert nesting.mint(ALICE, agent=HR, run="a" * 32) is None
    nested = nesting.mint(ALICE, agent=LEAD, run="b" * 32, within=grant)
    assert nested is not None
    assert nesting.read(nested).depth == 2


async def test_a_run_that_may_wait_for_a_person_may_ask_after_its_time(team: Front) -> None:
    """Who decides late may be somebody else than the caller, by whom no new grant comes."""
    nesting, agents = team.gateway.nesting, team.routes.reach(LEAD).agents

    def minted(*, waits: bool) -> str:
        team.routes.describe(LEAD, Description(), Reach(agents, -60.0, waits=waits))
        return nesting.mint(ALICE, agent=LEAD, run="a" * 32) or ""

    with pytest.raises(Problem, match="expired"):
        nesting.read(minted(waits=False))
    assert nesting.read(minted(waits=True)).caller == ALICE


async def test_an_agent_asks_a_member_as_its_caller_and_a_repeated_call_attaches(team: Front) -> None:
    headers = {**bearer(team, await waiting_run(team)), **STREAM}
    seen = []
    for _ in range(2):
        async with team.client.post(
            f"/agents/{HR}/runs", data=ask_json_bytes("say 4 words"), headers=headers
        ) as response:
            assert response.status == 200
            seen.append(await transcribe(response))
    assert [each.text for each in seen] == ["word0 word1 word2 word3 "] * 2
    assert seen[0].ids == seen[1].ids
    _, listed = await call(team, "GET", f"/agents/{HR}/runs")
    assert [(run["run_id"], run["session_id"]) for run in listed["runs"]] == [(seen[0].ids[0].run, None)]


async def test_a_call_goes_on_after_the_last_event_that_came(team: Front) -> None:
    headers = {**bearer(team, await waiting_run(team)), **STREAM}
    body = ask_json_bytes("say 4 words")
    async with team.client.post(f"/agents/{HR}/runs", data=body, headers=headers) as response:
        numbered = [number async for number, _ in events(response)]
    headers["Last-Event-ID"] = str(numbered[2])
    async with team.client.post(f"/agents/{HR}/runs", data=body, headers=headers) as response:
        assert [number async for number, _ in events(response)] == numbered[3:]


async def test_an_agent_sees_and_asks_its_members_only(team: Front) -> None:
    headers = bearer(team, await waiting_run(team))
    _, listed = await call(team, "GET", "/agents", headers=headers)
    assert [agent["name"] for agent in listed["agents"]] == ["hr"]
    for path, desired in (
        (f"/agents/{IT}/runs", (403, "NotAMember")),
        (f"/agents/{LEAD}/runs", (403, "NotAMember")),
        ("/agents/demo/missing/runs", (404, "AgentNotFound")),
        (f"/agents/{HR}/runs", (200, None)),
    ):
        status, body = await call(team, "POST", path, data=ask_json_bytes("1 words"), headers=headers)
        assert (status, body if status >= 400 else None) == desired


async def test_a_grant_opens_no_other_path(team: Front) -> None:
    headers = bearer(team, await waiting_run(team))
    for method, path in (
        ("GET", f"/agents/{HR}/runs"),
        ("GET", f"/agents/{HR}/sessions/abc"),
        ("DELETE", f"/agents/{HR}/sessions/abc"),
        ("POST", f"/agents/{HR}/runs/{'a' * 32}/input/go"),
    ):
        status, _ = await call(team, method, path, headers=headers, json={"approved": True})
        assert status == 401, path
    status, reason = await call(team, "POST", f"/agents/{HR}/runs", data=ask_json_bytes("1 words"))
    assert (status, reason) == (401, "Unauthenticated"), "the path takes nothing but a grant"


async def test_a_grant_reads_and_cancels_what_was_asked_by_it_and_nothing_else(team: Front) -> None:
    run = await waiting_run(team)
    headers = bearer(team, run)
    _, own = await call(team, "POST", f"/agents/{HR}/runs", data=ask_json_bytes("ask me"), headers=headers)
    path = f"/agents/{HR}/runs/{own['run_id']}"
    _, foreign = await call(team, "POST", f"/agents/{HR}/chat", json={"question": "ask me"})
    assert (await call(team, "GET", f"/agents/{HR}/runs/{foreign['run_id']}", headers=headers))[0] == 404
    assert (await call(team, "DELETE", f"/agents/{HR}/runs/{foreign['run_id']}", headers=headers))[0] == 404
    assert (await call(team, "GET", path, headers=bearer(team, run, key="step-2")))[0] == 404
    assert (await call(team, "GET", path, headers=headers))[0] == 202
    assert (await call(team, "DELETE", f"/agents/{LEAD}/runs/{run}"))[0] == 204
    assert (await call(team, "GET", path, headers=headers))[0] == 401, "the run of the grant has ended"
    assert (await call(team, "DELETE", path, headers=headers))[0] == 204, "what it asked can be cancelled still"


async def test_a_grant_is_worth_nothing_once_its_run_has_ended_or_where_there_is_none(team: Front) -> None:
    run = await waiting_run(team)
    body, path = ask_json_bytes("1 words"), f"/agents/{HR}/runs"
    assert (await call(team, "POST", path, data=body, headers=bearer(team, run)))[0] == 200
    assert (await call(team, "DELETE", f"/agents/{LEAD}/runs/{run}"))[0] == 204
    for ended in (run, "f" * 32):
        assert await call(team, "POST", path, data=body, headers=bearer(team, ended)) == (401, "Unauthenticated")
        assert await call(team, "GET", "/agents", headers=bearer(team, ended)) == (401, "Unauthenticated")


async def test_a_grant_for_somebody_else_or_of_another_gateway_is_refused(team: Front) -> None:
    run, path, body = await waiting_run(team), f"/agents/{HR}/runs", ask_json_bytes("1 words")
    of_others = bearer(team, run, caller=ALICE)
    assert (await call(team, "POST", path, data=body, headers=of_others))[0] == 401, "it is not alice's run"
    foreign = grants.sign(grants.first(ANONYMOUS, actor=str(LEAD), run=run, seconds=60), IdentitySigner.generate())
    headers = {"Authorization": f"Bearer {foreign}"}
    assert (await call(team, "POST", path, data=body, headers=headers))[0] == 401
    assert (await call(team, "GET", "/agents", headers=headers))[0] == 401, "an open gateway does not let it in either"


async def test_whoever_answers_an_input_of_an_own_run_renews_its_grant(team: Front, tmp_path: Path) -> None:
    run = await waiting_run(team)
    async with stored_grants(tmp_path) as read:
        before = await read(run)
        status, _ = await call(team, "POST", f"/agents/{LEAD}/runs/{run}/input/go", json={"approved": True})
        assert status == 200
        after = await read(run)
    grant = team.gateway.nesting.read(after)
    assert (grant.run, grant.actor, grant.caller) == (run, str(LEAD), ANONYMOUS)
    assert grant.expires >= team.gateway.nesting.read(before).expires
    status, _ = await call(team, "POST", f"/agents/{LEAD}/runs/{run}/input/go", json={"approved": True, "grant": "x"})
    assert status == 422, "callers give no grants"


@asynccontextmanager
async def stored_grants(folder: Path) -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    """Reads the grant that the store has for a run."""
    database = await open_database(f"sqlite:///{folder}/store.db")

    async def read(run: str) -> str:
        rows = await database.fetch("SELECT ask FROM runs WHERE id = $1", run)
        return str(json.loads(str(rows[0]["ask"]))["grant"])

    try:
        yield read
    finally:
        await database.close()


async def test_nobody_but_the_gateway_gives_grants(team: Front) -> None:
    """An agent that asks cannot choose the grant of the run that it starts."""
    headers = bearer(team, await waiting_run(team))
    asked = {**json.loads(ask_json_bytes("1 words")), "grant": "forged", "session": "s"}
    status, answer = await call(team, "POST", f"/agents/{HR}/runs", json=asked, headers=headers)
    assert (status, answer["session_id"]) == (200, None)


async def test_callers_who_wait_leave_room_for_those_they_wait_for(
    start_front: StartFront, start_host: StartHost
) -> None:
    _, url = await start_host(agents=tuple(map(str, (LEAD, HR))), delta_delay=0.05)
    front = await start_front(max_in_flight=2)
    for agent in (LEAD, HR):
        front.routes.set(agent, [url])
    front.routes.describe(LEAD, Description(), Reach(frozenset({HR}), 60.0))
    run = await waiting_run(front)
    long, asking = {"question": "say 400 words"}, []
    for number in range(2):
        asking.append(asyncio.create_task(call(front, "POST", f"/agents/{LEAD}/chat", json=long)))
        await until(lambda number=number: front.gateway.bound.taken > number, "one more waits")  # type: ignore[misc]

    assert (await call(front, "POST", f"/agents/{LEAD}/chat", json={"question": "1 words"}))[0] == 429
    status, _ = await call(
        front, "POST", f"/agents/{HR}/runs", data=ask_json_bytes("1 words"), headers=bearer(front, run)
    )
    assert status == 200
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)


def test_each_depth_leaves_room_for_the_next() -> None:
    bound, counts = Bound(4), []
    with ExitStack() as stack:
        for depth in range(5):
            before = bound.taken
            with suppress(Full):
                while bound.taken < 100:
                    stack.enter_context(bound.slot(depth=depth))
            counts.append(bound.taken - before)
    assert (counts, bound.taken) == ([4, 2, 1, 1, 0], 0)


def ask_json_bytes(question: str) -> bytes:
    return json.dumps(ask_json(question)).encode()
