"""The paths of runs that are there already: list them, give them an input, cancel them."""

import re
import uuid

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from slipway_runtime.host import interventions
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.host.interventions import Giving
from slipway_runtime.host.lifecycle import Host
from slipway_runtime.host.refusals import run_not_found
from slipway_runtime.identity import Caller
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.ask import ASK_BYTES, HISTORY_BYTES, too_large
from slipway_runtime.protocols.asked import HostInput, parse_input
from slipway_runtime.protocols.headers import REQUEST_HEADER
from slipway_runtime.store.run_list import PAGE_SIZE, STATES, Place, RunSummary, list_runs, state_of

RUN_ID = re.compile("[0-9a-f]{32}")


def run_of(request: Request) -> str:
    """The run that a path names.

    Raises:
        Problem: `RunNotFound` if it cannot be one.
    """
    run_id: str = request.path_params["run_id"]
    if not RUN_ID.fullmatch(run_id):
        raise run_not_found()
    return run_id


async def read_body(request: Request, *, limit: int = ASK_BYTES) -> bytes:
    """The body, read only as far as it is allowed to go. Raises Problem."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            raise too_large(limit)
    return bytes(body)


async def give(host: Host, hosted: HostedAgent, caller: Caller, request: Request) -> Response:
    """Give an input that a run waits for."""
    run_id, input_id = run_of(request), request.path_params["input_id"]
    given = parse_input(await read_body(request, limit=HISTORY_BYTES), request.headers, HostInput)
    giving = _giving(caller, request, given)
    await interventions.give(host.runs, host.database, hosted, giving)
    return JSONResponse({"run_id": run_id, "input": input_id, "approved": given.approved is not False})


async def grant(host: Host, hosted: HostedAgent, caller: Caller, request: Request) -> Response:
    """The grant of a run, for the gateway of somebody who may give an input that it waits for."""
    kept = await interventions.kept_grant(host.database, hosted, _giving(caller, request, HostInput()))
    return JSONResponse({"grant": kept.grant, "own": kept.own})


def _giving(caller: Caller, request: Request, given: HostInput) -> Giving:
    return Giving(
        run_id=run_of(request),
        input_id=request.path_params["input_id"].replace("\0", ""),
        caller=caller.owner,
        groups=caller.groups,
        approved=given.approved,
        answer=given.answer,
        request=request.headers.get(REQUEST_HEADER) or uuid.uuid4().hex,
        grant=given.grant,
        renewed_grant=given.renewed_grant,
    )


async def cancel(host: Host, hosted: HostedAgent, caller: Caller, request: Request) -> Response:
    """Cancel a run."""
    await interventions.cancel(host.runs, host.database, run_of(request), agent=hosted.key, caller=caller.owner)
    return Response(status_code=204)


async def state(host: Host, hosted: HostedAgent, caller: Caller, request: Request) -> Response:
    """Whether a run goes on: what a gateway asks before it honours the run's grant."""
    found = await state_of(host.database, run_of(request), agent=hosted.key, caller=caller.owner)
    if found is None:
        raise run_not_found()
    return JSONResponse({"state": found})


async def list_all(host: Host, hosted: HostedAgent, caller: Caller, request: Request) -> Response:
    """A page of the caller's runs, newest first."""
    runs = await list_runs(
        host.database,
        agent=hosted.key,
        caller=caller.owner,
        session_id=_session(request),
        state=_state(request),
        after=place_of(request.query_params.get("page"), "page: send what next_page of the page before says."),
    )
    shown = runs[:PAGE_SIZE]
    following = str(shown[-1].place) if len(runs) > PAGE_SIZE else None
    return JSONResponse({"runs": [_json(run) for run in shown], "next_page": following})


def _json(run: RunSummary) -> dict[str, object]:
    return {
        "run_id": run.run_id,
        "session_id": run.session_id,
        "question": run.question,
        "created": run.created,
        "state": run.state,
        "waits_until": run.waits_until,
    }


def _session(request: Request) -> str | None:
    session = request.query_params.get("session")
    return session.replace("\0", "") if session else None


def _state(request: Request) -> str | None:
    state = request.query_params.get("state")
    if state is not None and state not in STATES:
        raise Problem(Reason.INVALID_REQUEST, f"state: write one of {', '.join(STATES)}.")
    return state


def place_of(token: str | None, refusal: str) -> Place | None:
    """Where a page of the list begins; None for the first. Raises Problem with the refusal for what is no token."""
    if token is None:
        return None
    try:
        place = Place.parse(token)
    except ValueError:
        place = Place(0.0, "")
    if not RUN_ID.fullmatch(place.run_id):
        raise Problem(Reason.INVALID_REQUEST, refusal)
    return place
