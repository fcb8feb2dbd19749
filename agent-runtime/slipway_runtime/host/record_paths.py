"""Runs as records, for gateways: one with its events so far, and a caller's list of them."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.host.lifecycle import Host
from slipway_runtime.host.refusals import run_not_found
from slipway_runtime.host.run_paths import place_of, run_of
from slipway_runtime.identity import Caller
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.store.records import LONGEST_PAGE, RecordFilter, count_records, list_records, read_record
from slipway_runtime.store.run_list import STATES

NO_TOKEN = "The page token is none of this list: send the one of the page before."


async def read(host: Host, hosted: HostedAgent, caller: Caller, request: Request) -> Response:
    """One of the caller's runs."""
    record = await read_record(host.database, run_of(request), agent=hosted.key, caller=caller.owner)
    if record is None:
        raise run_not_found()
    return JSONResponse(record.to_json())


async def list_all(host: Host, hosted: HostedAgent, caller: Caller, request: Request) -> Response:
    """A page of the caller's runs, those that changed last first."""
    query = request.query_params
    state, limit = query.get("state"), int(query.get("limit") or 50)
    if (state is not None and state not in STATES) or not 1 <= limit <= LONGEST_PAGE:
        raise Problem(Reason.INVALID_REQUEST, f"state is one of {', '.join(STATES)}, and limit 1 to {LONGEST_PAGE}.")
    wanted = RecordFilter(
        agent=hosted.key,
        caller=caller.owner,
        session_id=query.get("session"),
        state=state,
        since=float(query["since"]) if "since" in query else None,
    )
    records = await list_records(host.database, wanted, after=place_of(query.get("after"), NO_TOKEN), limit=limit)
    shown = records[:limit]
    return JSONResponse(
        {
            "records": [record.to_json() for record in shown],
            "next": str(shown[-1].place) if len(records) > limit else None,
            "total": await count_records(host.database, wanted),
        }
    )
