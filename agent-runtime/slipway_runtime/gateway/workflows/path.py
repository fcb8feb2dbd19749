"""The paths of workflows. Workers answer them: what is here is who asks, whether they may, and for whom a run is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote, urlencode

from opentelemetry.trace import SpanKind
from starlette.requests import Request

from slipway_crds.contract import WORKFLOW_PATH
from slipway_runtime import statements
from slipway_runtime.gateway import access
from slipway_runtime.gateway.asgi import Receive, unless_gone
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.hosted_path import HostedPath, counted
from slipway_runtime.gateway.metrics import WORKFLOW_REQUESTS, WORKFLOW_SECONDS
from slipway_runtime.gateway.permissions import Action, no_such_workflow, require
from slipway_runtime.gateway.relay import Reply
from slipway_runtime.gateway.requests import named_request
from slipway_runtime.gateway.routes import WorkflowKey
from slipway_runtime.gateway.upstream import LONGEST_SECONDS, UpstreamRequest
from slipway_runtime.gateway.workflows.relay import LAST_ID, WorkerRelay
from slipway_runtime.gateway.workflows.table import WorkflowEntry, workers_of
from slipway_runtime.grants import Grant
from slipway_runtime.identity import Caller
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols import skin
from slipway_runtime.protocols.chat import wants_stream
from slipway_runtime.protocols.headers import REQUEST_HEADER, RUN_HEADER
from slipway_runtime.protocols.sse import MEDIA_TYPE as EVENT_STREAM
from slipway_runtime.telemetry.tracing import incoming, outgoing, span

RUNS = "runs"
"""Of the path, where runs begin."""
BODY_BYTES = 4 * 1024 * 1024
"""Of a request: the input of a run, or what an event brings."""
QUICK_SECONDS = 60.0
QUERY_CHARACTERS = 2000
_PART = r"(?!\.{1,2}(?:/|$))[\w.~-]{1,200}"
_REST = re.compile(f"{_PART}(/{_PART}){{0,5}}", re.ASCII)
_RUN = re.compile(r"runs/([\w-]{1,64})(/retry|/events)?", re.ASCII)


@dataclass(frozen=True)
class WorkflowCall:
    """A known caller's request about a workflow.

    Args:
        rest: of the path, behind the workflow's.
    """

    request: Request
    key: WorkflowKey
    entry: WorkflowEntry
    caller: Caller
    rest: str

    @property
    def begins(self) -> bool:
        """Whether a run begins: a new one, or one that does an ended run again."""
        found = _RUN.fullmatch(self.rest)
        again = found is not None and found[2] == "/retry"
        return self.request.method == "POST" and (self.rest == RUNS or again)

    @cached_property
    def id(self) -> str:
        """Of the run that begins, also where an ended one is done again; of the request otherwise. Raises Problem."""
        return named_request(self.request, owner=self.caller.owner, subject=f"workflow:{self.key}/{self.rest}")

    @property
    def streams(self) -> bool:
        """Whether the answer is a run's events."""
        follows = self.request.method == "GET" and self.rest.endswith("/events")
        begins = self.request.method == "POST" and self.rest == RUNS
        return (begins or follows) and wants_stream(self.request)

    @property
    def events(self) -> str:
        """Where the events of its run go on; empty if it has none for the client."""
        if not self.streams:
            return ""
        found = None if self.begins else _RUN.fullmatch(self.rest)
        return f"{self.base}/runs/{found[1] if found else self.id}/events"

    @property
    def base(self) -> str:
        """The workflow's path."""
        return WORKFLOW_PATH.format(namespace=quote(self.key.namespace, safe=""), name=quote(self.key.name, safe=""))

    @property
    def path(self) -> str:
        """At the worker, put together anew so that nothing of a client's spelling gets through. Raises Problem."""
        query = urlencode(self.request.query_params.multi_items())
        if len(query) > QUERY_CHARACTERS:
            raise Problem(Reason.INVALID_REQUEST, f"the query may have {QUERY_CHARACTERS} characters: shorten it")
        return f"{self.base}/{self.rest}" + (f"?{query}" if query else "")

    def action(self) -> Action:
        """What it does with the workflow."""
        if self.request.method == "GET":
            return Action.READ
        return Action.ANSWER if self.rest.endswith("/decision") else Action.ASK


class WorkflowPath(HostedPath):
    """The answer to a request about a workflow and its runs, written while it comes from a worker."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway, _problem)

    async def _answered(
        self, request: Request, receive: Receive, reply: Reply, *, caller: Caller, grant: Grant | None
    ) -> None:
        call = self._call_of(request, caller)
        access.note(workflow=call.key)
        require(self._gateway.policy, caller, call.action(), call.key)
        labels = (call.key.namespace, call.key.name)
        with (
            counted(reply, WORKFLOW_SECONDS, WORKFLOW_REQUESTS, labels=labels, about={"workflow": str(call.key)}),
            self._gateway.long_bodies.held() as held,
        ):
            body = await self._body(request, receive, caller=caller, limit=BODY_BYTES, held=held)
            with self._admitted():
                await unless_gone(self._relay(call, body, reply), receive)

    def _call_of(self, request: Request, caller: Caller) -> WorkflowCall:
        """Raises Problem."""
        table, given = self._gateway.workflows, request.path_params
        key = WorkflowKey(given["namespace"], given["name"])
        rest = request.scope["path"].split("/", 4)[4]  # behind /workflows/NAMESPACE/NAME
        entry = table.get(key)
        if entry is None:
            self._gateway.require_workflows()
            raise no_such_workflow()
        if not _REST.fullmatch(rest):
            raise Problem(Reason.NOT_FOUND, "a workflow has nothing at this path: see GET .../runs")
        return WorkflowCall(request, key, entry, caller, rest)

    async def _relay(self, call: WorkflowCall, body: bytes, reply: Reply) -> None:
        request = call.request
        with span(
            f"gateway workflow {'write' if request.method == 'POST' else 'read'}",
            parent=incoming(request.headers),
            kind=SpanKind.SERVER,
            attributes={"slipway.workflow": str(call.key)},
        ) as current:
            upstream = self._upstream(call, body)
            await WorkerRelay(self._gateway.worker_pods, upstream, reply, events=call.events).go()
            current.set_attribute("http.response.status_code", reply.status)

    def _upstream(self, call: WorkflowCall, body: bytes) -> UpstreamRequest:
        signer, caller = self._gateway.signer, call.caller
        audience = statements.audience(call.key.namespace)
        return UpstreamRequest(
            agent=workers_of(call.key.namespace),
            method=call.request.method,
            path=call.path,
            headers=self._sent(call),
            identity=lambda: signer.sign(caller, audience),
            former_identity=lambda: signer.sign_with_former_key(caller, audience),
            body=body or None,
            stream=call.streams,
            seconds=LONGEST_SECONDS if call.streams else QUICK_SECONDS,
            success=(200, 202),
        )

    def _sent(self, call: WorkflowCall) -> Mapping[str, str]:
        """What a worker gets to see: nothing of the client's but where it wants to go on, and never its key."""
        headers = {"Accept": EVENT_STREAM if call.streams else "application/json"}
        last = call.request.headers.get("last-event-id")
        if call.streams and last is not None and LAST_ID.fullmatch(last):
            headers["Last-Event-ID"] = last
        if call.request.method == "POST":
            headers["Content-Type"] = "application/json"
            headers[RUN_HEADER if call.begins else REQUEST_HEADER] = call.id
        if call.begins:
            statement = statements.issue(
                call.caller, workflow=str(call.key), run=call.id, seconds=call.entry.seconds or statements.MAX_SECONDS
            )
            headers[statements.STATEMENT_HEADER] = statements.sign(statement, self._gateway.signer)
        outgoing(headers)
        return headers


def _problem(problem: Problem) -> skin.Answer:
    return skin.Answer(problem.status, problem.headers(), problem.body())
