"""The paths of a workflow's runs: start, list, follow, cancel, do again, decide, settle, and send an event."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any, TypeVar

import orjson
from pydantic import ValidationError
from starlette.responses import JSONResponse, Response, StreamingResponse

from slipway_runtime.gateway.asgi import read_body
from slipway_runtime.identity import Caller
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols import sse
from slipway_runtime.protocols.ask import invalid
from slipway_runtime.protocols.bodies import read_json
from slipway_runtime.protocols.headers import RUN_HEADER
from slipway_runtime.statements import STATEMENT_HEADER
from slipway_runtime.store.database import StoreUnavailable
from slipway_runtime.workflows.records import (
    LAST_EVENTS,
    WHOLE,
    NewWorkflowRun,
    RunEvent,
    RunState,
    StepStatus,
    WorkflowRun,
)
from slipway_runtime.workflows.runs import PAGE_SIZE, Change
from slipway_runtime.workflows.steps.doing import checked
from slipway_runtime.workflows.steps.failures import TryFailed
from slipway_runtime.workflows.worker.app import RUN_ID, Handler, WorkflowRequest
from slipway_runtime.workflows.worker.bodies import (
    AboutRunBody,
    DecisionBody,
    EventBody,
    RetryBody,
    SettleBody,
    StartBody,
)

BODY_BYTES = 4 * 1024 * 1024
EXAMPLES: Mapping[type[AboutRunBody], str] = {
    StartBody: '{"input": {}}',
    RetryBody: '{"from": "STEP"}',
    DecisionBody: '{"approved": true}',
    SettleBody: '{"outcome": "again"}',
    EventBody: '{"payload": {}}',
}
"""What hints say."""
FOLLOW_SECONDS = 0.25
"""How often the store is looked at for somebody who follows a run."""
AnyWorkflowBody = TypeVar("AnyWorkflowBody", bound=AboutRunBody)


async def start(request: WorkflowRequest) -> Response:
    """`POST runs`: 202 with the run, or its events if the client wants a stream."""
    if request.worker.draining:
        raise Problem(Reason.DRAINING, "This worker is shutting down: ask again.")
    body = await _body(request, StartBody)
    run = await request.engine.begin(_new(request, body.input, started_by=body.started_by))
    if _wants_stream(request):
        return _stream(request, run.id, after=0)
    return JSONResponse(run.to_json(), status_code=202, headers={RUN_HEADER: run.id})


async def list_all(request: WorkflowRequest) -> Response:
    """`GET runs?state&page`: newest first, in pages."""
    given = request.http.query_params
    state = _state(given.get("state"))
    runs = await request.engine.store.listed(request.workflow, state=state, before=_place(given.get("page")))
    page = [run.in_short() for run in runs[:PAGE_SIZE]]
    more = {"next": f"{runs[PAGE_SIZE - 1].created!r}-{runs[PAGE_SIZE - 1].id}"} if len(runs) > PAGE_SIZE else {}
    return JSONResponse({"runs": page, **more})


async def show(request: WorkflowRequest) -> Response:
    """`GET runs/{run}`: the run with its steps."""
    run = await _run(request)
    steps = await request.engine.store.steps(run.id)
    definition = await request.engine.store.definition(run.definition)
    order = {name: number for number, name in enumerate(definition.steps)}
    rows = sorted(steps.values(), key=lambda row: (order.get(row.name, len(order)), row.place))
    begun = {row.name for row in rows}
    left = [{"step": name, "state": "pending"} for name in definition.steps if name not in begun]
    return JSONResponse({**run.to_json(), "steps": [*(row.to_json() for row in rows), *left]})


async def events(request: WorkflowRequest) -> Response:
    """`GET runs/{run}/events`: server-sent events, from the one after `Last-Event-ID` on."""
    run = await _run(request)
    after = _after(request)
    if run.ended is not None and after >= run.last_event:
        return Response(status_code=204, headers={RUN_HEADER: run.id, **sse.HEADERS})
    return _stream(request, run.id, after=after)


async def cancel(request: WorkflowRequest) -> Response:
    """`POST runs/{run}/cancel`: ends it at once. The state is what it is then."""
    run = await request.engine.store.cancel(request.run_id, workflow=request.workflow, by=request.caller.owner)
    request.engine.noticed(run.id)
    return JSONResponse(run.to_json())


async def retry(request: WorkflowRequest) -> Response:
    """`POST runs/{run}/retry`: a new run from a step on."""
    body = await _body(request, RetryBody)
    run = await request.engine.retry(request.run_id, body.start, _new(request, {}))
    return JSONResponse(run.to_json(), status_code=202, headers={RUN_HEADER: run.id})


async def decide(request: WorkflowRequest) -> Response:
    """`POST runs/{run}/steps/{step}/decision`: decides an approval. The first decision counts."""
    body = await _body(request, DecisionBody)
    step = str(request.http.path_params["step"])
    run = await _run(request)
    row = (await request.engine.store.steps(run.id)).get((step, WHOLE))
    if row is None or row.details.get("kind") != "approval":
        raise Problem(Reason.INPUT_NOT_FOUND, f"The step {step} of this run has not asked for a decision.")
    _check_decides(request.caller, run, row.details)
    by = request.caller.owner
    told = {"step": step, "by": by, "approved": body.approved, "comment": body.comment}
    ended = StepStatus.SUCCEEDED if body.approved else StepStatus.FAILED
    denied = {"reason": "ApprovalDenied", "message": f"denied by {by}{f': {body.comment}' if body.comment else ''}"}
    change = Change(
        StepStatus.WAITING,
        ended,
        [("input_given", _set(told)), ("step_ended", {"step": step, "state": ended.value})],
        output=_set({"approved": True, "by": by, "comment": body.comment}),
        **({} if body.approved else denied),
    )
    return await _changed(request, (step, WHOLE), change)


def _check_decides(caller: Caller, run: WorkflowRun, details: Mapping[str, Any]) -> None:
    groups = details.get("groups")
    if groups is None:
        allowed, who = caller.owner == run.caller, "who started the run"
    else:
        allowed, who = not set(groups).isdisjoint(caller.groups), f"members of {', '.join(groups)}"
    if not allowed:
        raise Problem(Reason.NOT_AN_ANSWERER, f"This is decided by {who}.")


async def settle(request: WorkflowRequest) -> Response:
    """`POST runs/{run}/steps/{step}/settle`: what came of a step that must not be repeated."""
    body = await _body(request, SettleBody)
    step, by = str(request.http.path_params["step"]), request.caller.owner
    state = {
        "succeeded": StepStatus.SUCCEEDED,
        "failed": StepStatus.FAILED,
        "again": StepStatus.RETRYING,
    }[body.outcome]
    told = {"step": step, "index": body.index, "by": by, "outcome": body.outcome, "comment": body.comment}
    after = (
        []
        if body.outcome == "again"
        else [("step_ended", _set({"step": step, "index": body.index, "state": state.value}))]
    )
    failed = body.outcome == "failed"
    if body.outcome == "succeeded":
        await _check_output(request, step, body.output)
    change = Change(
        StepStatus.NEEDS_ATTENTION,
        state,
        [("settled", _set(told)), *after],
        output=body.output,
        reason="SettledAsFailed" if failed else None,
        message=f"settled as failed by {by}" if failed else None,
    )
    return await _changed(request, (step, WHOLE if body.index is None else body.index), change)


async def _check_output(request: WorkflowRequest, step: str, output: Any) -> None:
    run = await _run(request)
    definition = await request.engine.store.definition(run.definition)
    shape = definition.steps[step].output if step in definition.steps else None
    try:
        checked(output, shape)
    except TryFailed as error:
        raise Problem(Reason.INVALID_REQUEST, f"{error.message}.") from None


async def send(request: WorkflowRequest) -> Response:
    """`POST runs/{run}/events/{event}`: an event that the run may wait for. The first of a name counts."""
    body, event = await _body(request, EventBody), str(request.http.path_params["event"])
    await _check_awaited(request, event)
    run = await request.engine.store.signal(
        request.run_id,
        event,
        body.payload,
        workflow=request.workflow,
        by=request.caller.owner,
    )
    await request.engine.enqueue(run)
    request.engine.noticed(run.id)
    return JSONResponse(run.to_json(), status_code=202)


async def _check_awaited(request: WorkflowRequest, event: str) -> None:
    """Raises Problem for an event that no step waits for, now or later."""
    steps = (await request.engine.store.definition((await _run(request)).definition)).steps.values()
    awaited = sorted({each.wait.event for each in steps if each.wait and each.wait.event})
    if event not in awaited:
        known = f"its steps wait for {', '.join(awaited)}" if awaited else "none of its steps waits for an event"
        raise Problem(Reason.INPUT_NOT_FOUND, f"Nothing in this run waits for the event {event[:64]}: {known}.")


ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/runs", start),
    ("GET", "/runs", list_all),
    ("GET", "/runs/{run}", show),
    ("GET", "/runs/{run}/events", events),
    ("POST", "/runs/{run}/cancel", cancel),
    ("POST", "/runs/{run}/retry", retry),
    ("POST", "/runs/{run}/steps/{step}/decision", decide),
    ("POST", "/runs/{run}/steps/{step}/settle", settle),
    ("POST", "/runs/{run}/events/{event}", send),
)
"""Below the path of a workflow."""


async def _changed(request: WorkflowRequest, key: tuple[str, int], change: Change) -> Response:
    run = await request.engine.store.settle(request.run_id, key, workflow=request.workflow, change=change)
    await request.engine.enqueue(run)
    request.engine.noticed(run.id)
    return JSONResponse(run.to_json())


async def _run(request: WorkflowRequest) -> WorkflowRun:
    return await request.engine.store.read(request.run_id, workflow=request.workflow)


def _new(request: WorkflowRequest, given: Mapping[str, Any], *, started_by: str = "http") -> NewWorkflowRun:
    headers = request.http.headers
    return NewWorkflowRun(
        workflow=request.workflow,
        caller=request.caller.owner,
        input=given,
        run_id=_named(headers.get(RUN_HEADER)),
        started_by=started_by,
        statement=headers.get(STATEMENT_HEADER, ""),
        trace=headers.get("traceparent", ""),
    )


async def _body(request: WorkflowRequest, kind: type[AnyWorkflowBody]) -> AnyWorkflowBody:
    data = await read_body(request.http.receive, limit=BODY_BYTES)
    hint = f"Send a JSON object as the body, such as {EXAMPLES[kind]}."
    try:
        return kind.model_validate(read_json(data, request.http.headers, send=hint) if data.strip() else {})
    except ValidationError as error:
        raise invalid(error, hint) from None


def _named(run_id: str | None) -> str | None:
    """The id that the gateway gave a run. Raises Problem."""
    if run_id is not None and not RUN_ID.fullmatch(run_id):
        raise Problem(Reason.INVALID_REQUEST, f"{RUN_HEADER} must be 32 hexadecimal digits.")
    return run_id


def _state(given: str | None) -> RunState | None:
    try:
        return RunState(given) if given else None
    except ValueError:
        states = ", ".join(RunState)
        raise Problem(Reason.INVALID_REQUEST, f"state must be one of {states}.") from None


def _place(given: str | None) -> tuple[float, str] | None:
    if not given:
        return None
    time, _, run_id = given.rpartition("-")
    try:
        return float(time), run_id
    except ValueError:
        raise Problem(Reason.INVALID_REQUEST, "page must be the `next` of the page before.") from None


def _after(request: WorkflowRequest) -> int:
    given = request.http.headers.get("last-event-id", "")
    run_id, _, number = given.rpartition(".")
    if not given:
        return 0
    if run_id != request.run_id or not number.isdecimal() or len(number) > 9:
        raise Problem(Reason.INVALID_REQUEST, "Last-Event-ID must be the id of an event of this run, as RUN.NUMBER.")
    return int(number)


def _wants_stream(request: WorkflowRequest) -> bool:
    return sse.MEDIA_TYPE in request.http.headers.get("accept", "")


def _stream(request: WorkflowRequest, run_id: str, *, after: int) -> Response:
    frames = sse.with_pings(_frames(request, run_id, after))
    return StreamingResponse(frames, media_type=sse.MEDIA_TYPE, headers={RUN_HEADER: run_id, **sse.HEADERS})


async def _frames(request: WorkflowRequest, run_id: str, after: int) -> AsyncGenerator[bytes]:
    """Events until the last one. While the store is unavailable, none come."""
    while not request.worker.draining:
        try:
            found = await request.engine.store.events(run_id, after=after)
        except StoreUnavailable:
            found = []
        for event in found:
            after = event.seq
            yield _frame(run_id, event)
            if event.type in LAST_EVENTS:
                return
        if not found:
            await asyncio.sleep(FOLLOW_SECONDS)


def _frame(run_id: str, event: RunEvent) -> bytes:
    data = orjson.dumps(event.to_json(run_id))
    return b"id: %s.%d\nevent: %s\ndata: %s\n\n" % (run_id.encode(), event.seq, event.type.encode(), data)


def _set(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
