"""A worker by HTTP: who may do what, what it answers, and what it refuses."""

import json
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from slipway_runtime import statements
from slipway_runtime.identity import HEADER, Caller, IdentityVerifier
from slipway_runtime.workflows.records import RunState
from slipway_runtime.workflows.triggers.running import Triggers
from slipway_runtime.workflows.worker.app import Worker, create_worker_app
from tests.support.scripts import SIGNER
from tests.support.serving import served
from tests.support.workflows import Engine, failing, giving, workflow

pytestmark = pytest.mark.parametrize("dsn", ["sqlite"], indirect=True)
PATH = "/workflows/demo/test"
ALICE = Caller.by_key("alice")
BOB = Caller.by_key("bob", groups=("finance",))
SPEC = """
input: {schema: {type: object, properties: {sum: {type: integer}}}}
steps:
  - {name: pay, approval: {message: "Pay ${input.sum}?", groups: [finance]}}
  - {name: book, needs: [pay], agentRef: {name: a}, tool: book, repeat: Never, params: {by: "${steps.pay.by}"}}
"""


@dataclass
class Desk:
    """A worker, asked as the gateway asks it."""

    engine: Engine
    worker: Worker
    http: aiohttp.ClientSession

    async def ask(
        self, method: str, path: str, body: Any = None, *, caller: Caller = ALICE, **headers: str
    ) -> tuple[int, Any]:
        sent = {HEADER: SIGNER.sign(caller, statements.audience("demo")), **headers}
        async with self.http.request(method, PATH + path, json=body, headers=sent) as response:
            return response.status, await response.json(content_type=None)

    async def waiting(self) -> str:
        """A run that waits for its approval."""
        status, run = await self.ask("POST", "/runs", {"input": {"sum": 5}})
        assert (status, run["state"]) == (202, "queued")
        await self.engine.reaches(await self.engine.engine.store.read(run["run_id"]), RunState.WAITING)
        return str(run["run_id"])

    async def stream(self, path: str, **headers: str) -> list[tuple[str, dict[str, Any]]]:
        """Ids and events of a stream up to its end."""
        sent = {HEADER: SIGNER.sign(ALICE, statements.audience("demo")), "Accept": "text/event-stream", **headers}
        async with self.http.get(PATH + path, headers=sent) as response:
            text = await response.text()
        frames = [dict(line.split(": ", 1) for line in each.split("\n")) for each in text.split("\n\n") if each]
        return [(frame["id"], json.loads(frame["data"])) for frame in frames]


@pytest.fixture
async def desk(engine: Engine, stack: AsyncExitStack, tmp_path: Path) -> Desk:
    engine.define(workflow(SPEC))
    worker = Worker(engine.engine, IdentityVerifier([SIGNER.public_key]), Triggers(engine.engine, tmp_path))
    url = await stack.enter_async_context(served(create_worker_app(worker)))
    http = await stack.enter_async_context(aiohttp.ClientSession(url))
    return Desk(engine, worker, http)


async def test_a_run_is_approved_by_a_member_of_its_groups_alone(desk: Desk) -> None:
    run = await desk.waiting()
    status, shown = await desk.ask("GET", f"/runs/{run}")
    approval = shown["steps"][0]
    assert (status, approval["asks"], approval["groups"]) == (200, "Pay 5?", ["finance"])
    assert approval["until"] > approval["began"]
    decision = f"/runs/{run}/steps/pay/decision"
    status, problem = await desk.ask("POST", decision, {"approved": True})
    assert (status, problem["reason"]) == (403, "NotAnAnswerer")
    assert "finance" in problem["detail"]
    _, problem = await desk.ask("POST", decision, {"approve": True}, caller=BOB)
    assert 'such as {"approved": true}' in problem["detail"]
    status, _ = await desk.ask("POST", decision, {"approved": True, "comment": "fine"}, caller=BOB)
    assert status == 200
    status, problem = await desk.ask("POST", decision, {"approved": False}, caller=BOB)
    assert (status, problem["reason"]) == (409, "InputNotOpen")
    await desk.engine.ends(await desk.engine.engine.store.read(run))
    events = await desk.stream(f"/runs/{run}/events")
    kinds = [event["type"] for _, event in events]
    assert kinds[:4] == ["queued", "started", "input_required", "input_given"]
    assert (kinds[-1], events[-1][1]["output"]["book"]) == ("done", {"given": {"by": "bob"}})
    assert await desk.stream(f"/runs/{run}/events", **{"Last-Event-ID": events[-2][0]}) == events[-1:]
    assert await desk.stream(f"/runs/{run}/events", **{"Last-Event-ID": events[-1][0]}) == []


async def test_an_event_of_a_long_output_says_where_it_is(desk: Desk) -> None:
    desk.engine.define(workflow("steps: [{name: a, agentRef: {name: a}, tool: book}]"))
    desk.engine.agents.tools["a.book"] = giving("x" * 2_000_000)
    _, run = await desk.ask("POST", "/runs", {})
    await desk.engine.ends(await desk.engine.engine.store.read(run["run_id"]))
    (*_, (_, step), (_, done)) = await desk.stream(f"/runs/{run['run_id']}/events")
    for event in (step, done):
        assert "output" not in event
        assert event["output_bytes"] > 2_000_000
        assert "GET runs/{run} has it" in event["hint"]
    _, shown = await desk.ask("GET", f"/runs/{run['run_id']}")
    assert shown["output"] == {"a": "x" * 2_000_000}


async def test_a_denied_run_fails_with_who_denied_it(desk: Desk) -> None:
    run = await desk.waiting()
    await desk.ask("POST", f"/runs/{run}/steps/pay/decision", {"approved": False, "comment": "too much"}, caller=BOB)
    ended = await desk.engine.ends(await desk.engine.engine.store.read(run))
    assert (ended.state, ended.reason, ended.message) == (RunState.FAILED, "ApprovalDenied", "denied by bob: too much")


async def test_a_step_that_needs_attention_is_settled(desk: Desk) -> None:
    desk.engine.agents.tools["a.book"] = failing("GatewayUnreachable", times=1, known=False)
    run = await desk.waiting()
    await desk.ask("POST", f"/runs/{run}/steps/pay/decision", {"approved": True}, caller=BOB)
    await desk.engine.reaches(await desk.engine.engine.store.read(run), RunState.NEEDS_ATTENTION)
    settle = f"/runs/{run}/steps/book/settle"
    assert (await desk.ask("POST", settle, {"outcome": "perhaps"}))[1]["reason"] == "InvalidRequest"
    assert (await desk.ask("POST", settle, {"outcome": "succeeded", "output": {"booked": 1}}))[0] == 200
    ended = await desk.engine.ends(await desk.engine.engine.store.read(run))
    assert ended.output["book"] == {"booked": 1}
    assert (await desk.ask("POST", settle, {"outcome": "failed"}))[1]["reason"] == "InputNotOpen"


async def test_runs_are_listed_in_pages_and_cancelled(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slipway_runtime.workflows.worker.run_paths.PAGE_SIZE", 2)
    runs = [await desk.waiting() for _ in range(3)]
    status, cancelled = await desk.ask("POST", f"/runs/{runs[0]}/cancel")
    assert (status, cancelled["state"]) == (200, "cancelled")
    _, first = await desk.ask("GET", "/runs")
    assert [run["run_id"] for run in first["runs"]] == [runs[2], runs[1]]
    assert all(run.keys().isdisjoint(("input", "output")) for run in first["runs"])
    _, second = await desk.ask("GET", f"/runs?page={first['next']}")
    assert [run["run_id"] for run in second["runs"]] == [runs[0]]
    _, waiting = await desk.ask("GET", "/runs?state=cancelled")
    assert [run["run_id"] for run in waiting["runs"]] == [runs[0]]
    _, report = await desk.ask("GET", "/../../../status/test")
    assert (report["queued"], len(report["last_runs"])) == (0, 3)


@pytest.mark.parametrize(
    ("method", "path", "body", "reason"),
    [
        ("POST", "/runs", {"input": {"sum": "much"}}, "InvalidRequest"),
        ("POST", "/runs", {"in": {}}, "InvalidRequest"),
        ("POST", "/runs", ["input"], "InvalidRequest"),
        ("GET", "/runs?state=asleep", None, "InvalidRequest"),
        ("GET", "/runs?page=x", None, "InvalidRequest"),
        ("GET", "/runs/" + "0" * 32, None, "RunNotFound"),
        ("GET", "/runs/1", None, "RunNotFound"),
        ("POST", "/runs/" + "0" * 32 + "/cancel", None, "RunNotFound"),
        ("POST", "/runs/" + "0" * 32 + "/retry", {}, "RunNotFound"),
        ("POST", "/runs/" + "0" * 32 + "/events/paid", {}, "RunNotFound"),
    ],
)
async def test_what_is_refused(desk: Desk, method: str, path: str, body: Any, reason: str) -> None:
    assert (await desk.ask(method, path, body))[1]["reason"] == reason


async def test_an_event_that_nothing_waits_for_is_refused(desk: Desk) -> None:
    run = await desk.waiting()
    status, problem = await desk.ask("POST", f"/runs/{run}/events/paid", {"payload": 1})
    assert (status, problem["reason"]) == (404, "InputNotFound")
    assert "none of its steps waits for an event" in problem["detail"]
    desk.engine.define(workflow("steps: [{name: paid, wait: {event: payment}}]"))
    _, other = await desk.ask("POST", "/runs", {})
    misspelled = f"/runs/{other['run_id']}/events/payments"
    assert "its steps wait for payment." in (await desk.ask("POST", misspelled, {}))[1]["detail"]
    assert (await desk.ask("POST", misspelled[:-1], {"payload": {"n": 1}}))[0] == 202
    ended = await desk.engine.ends(await desk.engine.engine.store.read(other["run_id"]))
    assert ended.output == {"paid": {"n": 1}}


async def test_only_the_gateway_is_believed(desk: Desk) -> None:
    async with desk.http.get(f"{PATH}/runs") as response:
        assert (await response.json(content_type=None))["reason"] == "Unauthenticated"
    other = {HEADER: SIGNER.sign(ALICE, statements.audience("other"))}
    async with desk.http.get(f"{PATH}/runs", headers=other) as response:
        assert (await response.json(content_type=None))["reason"] == "Unauthenticated"
