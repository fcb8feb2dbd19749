"""Receivers of what becomes of runs: kept for callers, and claimed by gateways, which send."""

import logging
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.host.lifecycle import Host
from slipway_runtime.host.refusals import run_not_found
from slipway_runtime.host.run_paths import read_body, run_of
from slipway_runtime.identity import GATEWAY, Caller
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.store import receivers
from slipway_runtime.store.run_list import state_of

log = logging.getLogger(__name__)


async def put(host: Host, hosted: HostedAgent, caller: Caller, request: Request) -> Response:
    """Add or replace a receiver."""
    config, run_id = orjson.loads(await read_body(request)), run_of(request)
    await _known(host, hosted, caller, run_id)
    kept = await receivers.put(
        host.database, run_id, request.path_params["receiver"], config, agent=hosted.key, caller=caller.owner
    )
    if not kept:
        raise Problem(Reason.INVALID_REQUEST, f"A task has at most {receivers.MOST} receivers: remove one first.")
    return JSONResponse(config)


async def list_all(host: Host, hosted: HostedAgent, caller: Caller, request: Request) -> Response:
    """The receivers of a run."""
    run_id = run_of(request)
    await _known(host, hosted, caller, run_id)
    found = await receivers.list_all(host.database, run_id, agent=hosted.key, caller=caller.owner)
    return JSONResponse({"receivers": found})


async def remove(host: Host, hosted: HostedAgent, caller: Caller, request: Request) -> Response:
    """Remove a receiver, if it is there."""
    run_id = run_of(request)
    await _known(host, hosted, caller, run_id)
    await receivers.remove(
        host.database, run_id, request.path_params["receiver"], agent=hosted.key, caller=caller.owner
    )
    return Response(status_code=204)


async def claim(host: Host, hosted: HostedAgent, caller: Caller, _: Request) -> Response:
    """What a gateway shall send now."""
    _only_gateways(caller)
    due = await receivers.claim(host.database, agent=hosted.key)
    return JSONResponse({"due": [each.to_json() for each in due]})


async def settle(host: Host, hosted: HostedAgent, caller: Caller, request: Request) -> Response:
    """What came of it."""
    _only_gateways(caller)
    sent: Any = orjson.loads(await read_body(request))
    goes_on = await receivers.settle(
        host.database,
        sent["run_id"],
        sent["id"],
        agent=hosted.key,
        changed=sent["changed"],
        again_in=sent["again_in"],
    )
    if not goes_on:
        log.warning(
            "gave up telling a receiver what became of a run",
            extra={"agent": hosted.key, "run": sent["run_id"], "receiver": sent["id"]},
        )
    return Response(status_code=204)


async def _known(host: Host, hosted: HostedAgent, caller: Caller, run_id: str) -> None:
    if await state_of(host.database, run_id, agent=hosted.key, caller=caller.owner) is None:
        raise run_not_found()


def _only_gateways(caller: Caller) -> None:
    if caller != GATEWAY:
        raise Problem(Reason.NOT_FOUND, "Only the gateway itself sends to receivers.")
