"""Workflows at the gateway: who reaches a worker and with what, and what a worker may call, and for whom."""

import io
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from slipway_crds.contract import FORMER_KEY_LABEL, TLS_PORT_NAME, WORKER_KEY_LABEL, key_fingerprint
from slipway_runtime import statements
from slipway_runtime.gateway.auth import KeyEntry, new_key
from slipway_runtime.gateway.reflector import ObjectKey
from slipway_runtime.gateway.routes import AgentAccess, AgentKey, Description, RouteTable, WorkflowKey
from slipway_runtime.gateway.workflows.source import KubernetesWorkflows
from slipway_runtime.gateway.workflows.table import WorkflowEntry, WorkflowTable, workers_of
from slipway_runtime.identity import HEADER, Caller, IdentitySigner, IdentityVerifier
from slipway_runtime.statements import STATEMENT_HEADER, WORKER_KEY_HEADER, WORKFLOW_HEADER
from tests.runtime.gateway.conftest import SUPPORT, Front, StartFront, StartHost
from tests.support import mcp_wire
from tests.support.chat import STREAM
from tests.support.serving import served
from tests.support.waiting import until

REPORT = WorkflowKey("demo", "report")
RUNS = f"/workflows/{REPORT}/runs"
KEY = "slipway-worker-key-of-demo"
RUN = "a" * 32
OTHER = AgentKey("other", "support")


@dataclass
class Worker:
    """A namespace's worker, which takes down what it is sent."""

    verifier: IdentityVerifier
    seen: list[Request] = field(default_factory=list)
    callers: list[Caller] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    dies: int = 0
    """How many streams break off in the middle of the second event."""
    status: int = 202

    def app(self) -> Starlette:
        path = "/workflows/{namespace}/{name}"
        routes = [Route(path, self.answer), Route(path + "/{rest:path}", self.answer, methods=["GET", "POST"])]
        return Starlette(routes=routes)

    async def answer(self, request: Request) -> Response:
        self.callers.append(self.verifier.verify(request.headers[HEADER], statements.audience("demo")))
        self.seen.append(request)
        self.bodies.append(await request.body())
        if "event-stream" in request.headers["accept"]:
            return StreamingResponse(
                self.events(int(request.headers.get("last-event-id", "0"))), 200, None, "text/event-stream"
            )
        if self.status >= 400:
            problem = {"reason": "InvalidRequest", "detail": "no", "status": self.status}
            return JSONResponse(problem, self.status, media_type="application/problem+json")
        return JSONResponse({"run_id": request.headers.get("x-slipway-run")}, 202 if request.method == "POST" else 200)

    async def events(self, after: int) -> AsyncIterator[bytes]:
        for number in range(after + 1, 4):
            whole = f"id: {number}\nevent: step\ndata: {{}}\n\n".encode()
            if self.dies and number == 2:
                self.dies -= 1
                yield whole[:7]
                raise ConnectionError("killed")
            yield whole

    def header(self, name: str) -> str:
        return self.seen[-1].headers.get(name, "")


@pytest.fixture
def worker(signer: IdentitySigner) -> Worker:
    return Worker(IdentityVerifier([signer.public_key]))


def file_of(folder: Path, *entries: KeyEntry) -> dict[str, Any]:
    path = folder / "keys.json"
    path.write_text(json.dumps({"keys": [entry.model_dump() for entry in entries]}))
    return {"auth_mode": "apikeys", "api_keys_file": path}


@dataclass
class Desk:
    """A gateway with keys of two people in front of a worker."""

    front: Front
    alice: str
    bob: str

    async def call(self, method: str, path: str, key: str = "", **options: Any) -> tuple[int, Any]:
        headers = {"X-API-Key": key or self.alice, **options.pop("headers", {})}
        async with self.front.client.request(method, path, headers=headers, **options) as response:
            body = await response.json(content_type=None)
            return response.status, body["reason"] if response.status >= 400 else body


@pytest.fixture
async def desk(
    stack: AsyncExitStack, start_front: StartFront, start_host: StartHost, tmp_path: Path, worker: Worker
) -> Desk:
    (alice, staff), (bob, nobody) = new_key("alice", groups=["staff"]), new_key("bob")
    front = await start_front(**file_of(tmp_path, staff, nobody))
    _, host = await start_host(agents=tuple(map(str, (SUPPORT, OTHER))))
    for agent in (SUPPORT, OTHER):
        front.routes.set(agent, [host])
        front.routes.describe(agent, Description(architecture="langgraph"))
    url = await stack.enter_async_context(served(worker.app()))
    front.gateway.workflows.set(REPORT, WorkflowEntry(description="Reports."))
    front.gateway.workflows.set_workers("demo", [url], [key_fingerprint(KEY)])
    return Desk(front, alice, bob)


async def test_a_run_begins_at_the_worker_as_the_caller_with_an_id_and_a_statement(desk: Desk, worker: Worker) -> None:
    status, answer = await desk.call("POST", RUNS, json={"input": {"x": 1}})
    assert status == 202
    assert worker.callers == [Caller.by_key("alice", groups=("staff",))]
    assert json.loads(worker.bodies[0]) == {"input": {"x": 1}}
    statement = statements.verify(worker.header(STATEMENT_HEADER), desk.front.gateway.signer)
    assert (statement.caller, statement.workflow, statement.run) == (worker.callers[0], str(REPORT), answer["run_id"])
    assert worker.header("x-api-key") == ""
    assert worker.header("authorization") == ""


async def test_the_same_key_of_the_same_caller_names_the_same_run(desk: Desk) -> None:
    again = {"headers": {"Idempotency-Key": "monday"}, "json": {}}

    async def begun(key: str) -> Any:
        return (await desk.call("POST", RUNS, key, **{**again, "headers": dict(again["headers"])}))[1]["run_id"]

    assert await begun(desk.alice) == await begun(desk.alice)
    assert await begun(desk.alice) != await begun(desk.bob)
    assert (await desk.call("POST", RUNS, json={}))[1] != (await desk.call("POST", RUNS, json={}))[1]


async def test_a_run_that_begins_again_gets_a_statement_of_whoever_begins_it(desk: Desk, worker: Worker) -> None:
    assert (await desk.call("POST", f"{RUNS}/{RUN}/retry", desk.bob, json={"from": "x"}))[0] == 202
    statement = statements.verify(worker.header(STATEMENT_HEADER), desk.front.gateway.signer)
    assert statement.caller.subject == "bob"
    assert statement.run == worker.header("x-slipway-run") != RUN


async def test_other_requests_are_named_and_bring_no_statement(desk: Desk, worker: Worker) -> None:
    path = f"{RUNS}/{RUN}/events/paid"
    names = []
    for _ in range(2):
        assert (await desk.call("POST", path, json={}, headers={"Idempotency-Key": "one"}))[0] == 202
        names.append(worker.header("x-slipway-request"))
        assert worker.header(STATEMENT_HEADER) == ""
    assert names[0] == names[1] != ""
    assert (await desk.call("GET", f"{RUNS}?state=running&page=x%20y"))[0] == 200
    assert worker.seen[-1].url.query == "state=running&page=x+y"


async def test_an_input_may_be_larger_than_a_question(desk: Desk, worker: Worker) -> None:
    document = {"input": {"document": "x" * 2**19}}
    assert (await desk.call("POST", RUNS, json=document))[0] == 202
    assert json.loads(worker.bodies[0]) == document


@pytest.mark.parametrize("dies", [0, 2])
async def test_events_come_once_each_though_workers_die(desk: Desk, worker: Worker, dies: int) -> None:
    worker.dies = dies
    headers = {"X-API-Key": desk.alice, **STREAM}
    async with desk.front.client.post(RUNS, json={}, headers=headers) as response:
        assert response.status == 200
        body = await response.text()
    assert [line for line in body.split("\n") if line.startswith("id:")] == ["id: 1", "id: 2", "id: 3"]
    run = worker.seen[0].headers["x-slipway-run"]
    resumed = [(each.method, each.url.path, each.headers["last-event-id"]) for each in worker.seen[1:]]
    assert resumed == [("GET", f"{RUNS}/{run}/events", "1")] * dies


async def test_a_client_goes_on_after_the_last_event_that_it_has(desk: Desk, worker: Worker) -> None:
    headers = {"X-API-Key": desk.alice, **STREAM, "Last-Event-ID": "2"}
    async with desk.front.client.get(f"{RUNS}/{RUN}/events", headers=headers) as response:
        assert (await response.text()).startswith("id: 3\n")


async def test_what_a_worker_refuses_is_passed_on(desk: Desk, worker: Worker) -> None:
    worker.status = 422
    assert await desk.call("POST", RUNS, json={}) == (422, "InvalidRequest")


@pytest.mark.proves("Workflow.description", "Workflow.access.groups")
async def test_access_decides_who_sees_a_workflow(desk: Desk) -> None:
    desk.front.routes.restrict(REPORT, AgentAccess(groups=frozenset({"staff"})))
    for method, path in (("POST", RUNS), ("GET", RUNS), ("GET", f"{RUNS}/{RUN}"), ("GET", f"/workflows/{REPORT}")):
        assert await desk.call(method, path, desk.bob) == (404, "WorkflowNotFound")
    assert (await desk.call("GET", "/workflows", desk.bob))[1] == {"workflows": []}
    (listed,) = (await desk.call("GET", "/workflows"))[1]["workflows"]
    assert listed == {"namespace": "demo", "name": "report", "description": "Reports.", "ready": True}
    assert (await desk.call("GET", f"/workflows/{REPORT}"))[1] == listed


@pytest.mark.proves("Workflow.access.tools[].*")
async def test_some_may_see_runs_and_not_start_them(desk: Desk) -> None:
    spec = {"access": {"tools": [{"name": "ask", "groups": ["staff"]}]}}
    desk.front.routes.restrict(REPORT, AgentAccess.read(spec))
    assert (await desk.call("GET", RUNS, desk.bob))[0] == 200
    assert await desk.call("POST", RUNS, desk.bob, json={}) == (404, "WorkflowNotFound")
    assert (await desk.call("POST", RUNS, json={}))[0] == 202


async def test_what_is_no_path_of_a_workflow_never_reaches_a_worker(desk: Desk, worker: Worker) -> None:
    for path in (f"{RUNS}/..%2f..%2fstatus", f"{RUNS}/a%00", f"{RUNS}//x", f"{RUNS}/{'x' * 300}"):
        assert (await desk.call("GET", path))[0] == 404, path
    assert await desk.call("POST", "/workflows/demo/missing/runs") == (404, "WorkflowNotFound")
    assert (await desk.call("GET", f"{RUNS}?q={'x' * 3000}")) == (422, "InvalidRequest")
    assert (await desk.call("POST", RUNS, data=io.BytesIO(b"x" * (5 * 1024 * 1024)))) == (413, "QuestionTooLarge")
    assert (await desk.call("POST", RUNS, "slipway-nobody")) == (401, "Unauthenticated")
    assert worker.seen == []


async def test_without_a_worker_the_caller_learns_where_to_look(desk: Desk) -> None:
    desk.front.gateway.workflows.set_workers("demo", [], [])
    desk.front.gateway.worker_pods.hold_seconds = 0
    async with desk.front.client.post(RUNS, json={}, headers={"X-API-Key": desk.alice}) as response:
        assert response.status == 503
        assert "Workflows" in (await response.json())["detail"]


async def test_a_worker_with_another_gateways_key_is_no_fault_of_the_caller(desk: Desk, worker: Worker) -> None:
    worker.status = 401
    assert await desk.call("POST", RUNS, json={}) == (500, "InternalError")


# What workers call


def brought(desk: Desk, *, caller: Caller | None = None, run: str = RUN, **changes: str) -> dict[str, str]:
    """Headers of a worker's call, for a caller where one began the run."""
    headers = {WORKER_KEY_HEADER: KEY, WORKFLOW_HEADER: str(REPORT), "X-Slipway-Run": run, "Idempotency-Key": "step"}
    if caller is not None:
        statement = statements.issue(caller, workflow=str(REPORT), run=RUN, seconds=60)
        headers[STATEMENT_HEADER] = statements.sign(statement, desk.front.gateway.signer)
    return {**headers, **changes}


async def asked(desk: Desk, headers: dict[str, str], agent: AgentKey = SUPPORT, question: str = "say 3 words") -> Any:
    """What the agent's tool `ask` answers a worker; the status where the call is refused."""
    message, era = mcp_wire.modern(mcp_wire.ask(question))
    path = f"/agents/{agent}/mcp"
    given = {"Accept": "application/json", **era, **headers}
    async with desk.front.client.post(path, json=message, headers=given) as response:
        body = await response.json(content_type=None)
        return body.get("result", response.status)


STAFF = Caller.by_key("alice", groups=("staff",))
GUEST = Caller.by_key("bob")


async def test_a_worker_calls_as_the_caller_of_the_run_and_the_log_says_through_what(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="slipway_runtime.gateway.access")
    result = await asked(desk, brought(desk, caller=STAFF))
    assert result["content"][0]["text"].startswith("word0 word1 word2")
    await until(lambda: any(hasattr(each, "via") for each in caplog.records), "the call is logged")
    (line,) = [each for each in caplog.records if hasattr(each, "via")]
    assert (line.__dict__["caller"], line.__dict__["via"]) == ("alice", "workflow:demo/report")
    runs = (await desk.call("GET", f"/agents/{SUPPORT}/runs"))[1]["runs"]
    assert len(runs) == 1, "the run at the agent belongs to the caller"


async def test_a_repeated_step_is_the_same_run_of_the_agent(desk: Desk) -> None:
    results = [await asked(desk, brought(desk, caller=STAFF)) for _ in range(2)]
    assert results[0]["content"] == results[1]["content"]
    assert len((await desk.call("GET", f"/agents/{SUPPORT}/runs"))[1]["runs"]) == 1


async def test_the_callers_access_is_enforced_and_not_the_workers(desk: Desk) -> None:
    desk.front.routes.restrict(SUPPORT, AgentAccess(groups=frozenset({"staff"})))
    assert "content" in await asked(desk, brought(desk, caller=STAFF))
    assert await asked(desk, brought(desk, caller=GUEST)) == 404
    assert await asked(desk, brought(desk)) == 404, "nobody began the run"


async def test_a_run_that_nobody_began_is_the_workflows_own_and_can_be_let_in(desk: Desk) -> None:
    desk.front.routes.restrict(SUPPORT, AgentAccess(groups=frozenset({"slipway:workflows:demo"})))
    assert "content" in await asked(desk, brought(desk))
    assert await asked(desk, brought(desk, caller=STAFF)) == 404


@pytest.mark.parametrize(
    "changes",
    [
        {WORKER_KEY_HEADER: "slipway-worker-forged"},
        {WORKER_KEY_HEADER: ""},
        {WORKER_KEY_HEADER: key_fingerprint(KEY)},
        {WORKFLOW_HEADER: "demo/missing"},
        {WORKFLOW_HEADER: "other/report"},
        {WORKFLOW_HEADER: ""},
        {"X-Slipway-Run": "b" * 32},
        {STATEMENT_HEADER: "nonsense"},
    ],
    ids=["forged", "no-key", "fingerprint", "gone", "other-namespace", "unnamed", "replayed", "no-statement"],
)
async def test_what_proves_nothing_is_refused(desk: Desk, changes: dict[str, str]) -> None:
    assert await asked(desk, brought(desk, caller=STAFF, **changes)) == 401


async def test_a_statement_is_of_no_use_to_another_workflow_or_without_a_key(desk: Desk) -> None:
    desk.front.gateway.workflows.set(WorkflowKey("demo", "second"), WorkflowEntry())
    assert await asked(desk, brought(desk, caller=STAFF, **{WORKFLOW_HEADER: "demo/second"})) == 401
    alone = {name: value for name, value in brought(desk, caller=STAFF).items() if name != WORKER_KEY_HEADER}
    assert await asked(desk, alone) == 401


async def test_a_worker_reaches_its_own_namespace_only(desk: Desk) -> None:
    assert await asked(desk, brought(desk, caller=STAFF), OTHER) == 403
    message, era = mcp_wire.modern(mcp_wire.request("tools/list"))
    headers = {"Accept": "application/json", **era, **brought(desk, caller=STAFF)}
    async with desk.front.client.post("/mcp", json=message, headers=headers) as response:
        assert response.status == 403


async def test_a_key_that_another_namespace_claims_opens_neither(desk: Desk) -> None:
    """Whoever may label a Service of their own can claim a fingerprint that they saw."""
    desk.front.gateway.workflows.set_workers("other", [], [key_fingerprint(KEY)])
    desk.front.gateway.workflows.set(WorkflowKey("other", "report"), WorkflowEntry())
    assert "content" in await asked(desk, brought(desk, caller=STAFF))
    assert await asked(desk, brought(desk, caller=STAFF, **{WORKFLOW_HEADER: "other/report"}), OTHER) == 401


async def test_a_worker_sees_the_agents_of_its_namespace_that_the_caller_may_ask(desk: Desk) -> None:
    async def seen(caller: Caller) -> list[str]:
        headers = brought(desk, caller=caller)
        async with desk.front.client.get("/agents", headers=headers) as response:
            return [f"{each['namespace']}/{each['name']}" for each in (await response.json())["agents"]]

    desk.front.routes.restrict(SUPPORT, AgentAccess(groups=frozenset({"staff"})))
    assert await seen(STAFF) == [str(SUPPORT)]
    assert await seen(GUEST) == []


async def test_a_workers_key_opens_no_other_path(desk: Desk) -> None:
    headers = brought(desk, caller=STAFF)
    for method, path in (
        ("POST", f"/agents/{SUPPORT}/chat"),
        ("GET", f"/agents/{SUPPORT}/runs"),
        ("POST", RUNS),
        ("GET", "/openapi.json"),
        ("POST", "/plugins/demo/tools/mcp"),
    ):
        async with desk.front.client.request(method, path, headers=headers, json={"question": "x"}) as response:
            assert response.status == 401, path


# What the API server says


def slice_of(namespace: str, *addresses: str, key: str = "", former: str = "") -> dict[str, Any]:
    """An EndpointSlice of workers."""
    labels = {
        "kubernetes.io/service-name": "slipway-worker",
        **({WORKER_KEY_LABEL: key_fingerprint(key)} if key else {}),
        **({FORMER_KEY_LABEL: key_fingerprint(former)} if former else {}),
    }
    return {
        "metadata": {"namespace": namespace, "name": "x", "labels": labels},
        "ports": [{"name": "http", "port": 8080}, {"name": TLS_PORT_NAME, "port": 8443}],
        "endpoints": [{"addresses": [each], "conditions": {"ready": True}} for each in addresses],
    }


def test_a_key_that_is_being_replaced_counts_and_workers_are_called_by_tls_where_they_speak_it() -> None:
    table = WorkflowTable()
    source = KubernetesWorkflows(table, RouteTable(), tls=True)
    source.list_slices({ObjectKey("demo", "x"): slice_of("demo", "10.0.0.1", key="new", former=KEY)})
    assert (table.is_worker("demo", "new"), table.is_worker("demo", KEY)) == (True, True)
    assert [each.url for each in table.workers.endpoints(workers_of("demo"))] == ["https://10.0.0.1:8443"]


def test_workflows_and_workers_follow_the_api_server() -> None:
    table, routes = WorkflowTable(), RouteTable()
    source = KubernetesWorkflows(table, routes)
    listed = [table.listed]
    spec = {"description": "Reports.", "access": {"groups": ["staff"]}}
    source.list_workflows({ObjectKey("demo", "report"): {"metadata": {}, "spec": spec}})
    assert [*listed, table.listed] == [False, True]
    assert routes.access(REPORT).groups == frozenset({"staff"})
    source.list_slices({ObjectKey("demo", "x"): slice_of("demo", "10.0.0.1", key=KEY)})
    assert [each.url for each in table.workers.endpoints(workers_of("demo"))] == ["http://10.0.0.1:8080"]
    assert table.is_worker("demo", KEY)
    assert not table.is_worker("other", KEY)
    source.change_slice(ObjectKey("demo", "x"), slice_of("demo", key="another"))
    assert table.workers.endpoints(workers_of("demo")) == ()
    assert (table.is_worker("demo", KEY), table.is_worker("demo", "another")) == (False, True)
    source.change_slice(ObjectKey("demo", "x"), None)
    assert not table.is_worker("demo", "another")
    source.change_workflow(ObjectKey("demo", "report"), None)
    assert table.get(REPORT) is None
    assert routes.access(REPORT).groups is None
