"""What callers do to runs that are there already: give an input that a run waits for, and cancel."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slipway_runtime.events import Cancelled
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.host.metrics import RUNS
from slipway_runtime.host.refusals import (
    draining,
    incomplete_input,
    input_not_found,
    input_not_open,
    not_an_answerer,
    run_not_found,
)
from slipway_runtime.host.runs import Runs
from slipway_runtime.store import inputs
from slipway_runtime.store import runs as store
from slipway_runtime.store.database import Database
from slipway_runtime.store.looks import look

BY_CALLER = Cancelled(reason="ByCaller", message="The caller cancelled the run.")


@dataclass(frozen=True)
class Giving:
    """Somebody's answer to an input. The same `request` may be sent again."""

    run_id: str
    input_id: str
    caller: str
    groups: tuple[str, ...]
    approved: bool | None
    """None where only an answer was given, which approves."""
    answer: Mapping[str, Any] | None
    request: str
    grant: str | None = None
    """For the run, of the caller who gives the input."""
    renewed_grant: str | None = None
    """For the run, of its own caller."""


@dataclass(frozen=True)
class KeptGrant:
    """What a run may ask other agents with, good or expired."""

    grant: str | None
    own: bool
    """Whether whoever gives the input is the run's own caller."""


async def kept_grant(database: Database, hosted: HostedAgent, giving: Giving) -> KeptGrant:
    """The grant of a run, for a gateway that renews it before it passes an input on.

    Raises:
        Problem: `RunNotFound`, `InputNotFound`, `NotAnAnswerer`, as for giving the input.
        StoreUnavailable: if the store is unavailable.
    """
    asked = await _asked(database, hosted.key, giving)
    return KeptGrant(await inputs.grant_of(database, giving.run_id), own=asked.caller == giving.caller)


async def give(runs: Runs, database: Database, hosted: HostedAgent, giving: Giving) -> None:
    """Give an input that a run waits for. The run goes on here, if there is room, or soon on any host.

    Raises:
        Problem: `Draining`, `RunNotFound`, `InputNotFound`, `NotAnAnswerer`, `InputNotOpen`, `InvalidRequest`.
        StoreUnavailable: if the store is unavailable; the same request may be sent again.
    """
    if runs.draining:
        raise draining()
    asked = await _asked(database, hosted.key, giving)
    if asked.request == giving.request:
        return
    if (giving.approved is None) if asked.kind == "approval" else (giving.approved and giving.answer is None):
        raise incomplete_input(asked.kind)
    answer = inputs.InputAnswer(giving.approved is not False, giving.answer, giving.caller)
    own_grant = giving.grant if asked.caller == giving.caller else None  # else it is for whoever gives the input
    grant = giving.renewed_grant or own_grant
    try:
        attempt = await inputs.give(
            database, giving.run_id, giving.input_id, answer, request=giving.request, grant=grant
        )
    except inputs.InputNotOpen:
        raise input_not_open() from None
    if not runs.draining:
        await runs.adopt(giving.run_id, hosted.key, attempt=attempt)


async def _asked(database: Database, agent: str, giving: Giving) -> inputs.Input:
    """The input that is given. To whoever is neither the run's caller nor asked, there is no such run."""
    asked = await inputs.read_input(database, giving.run_id, giving.input_id, agent=agent)
    if asked is None:
        if await look(database, giving.run_id, agent=agent, caller=giving.caller, after=None):
            raise input_not_found()
        raise run_not_found()
    own = asked.caller == giving.caller
    names = {f"group:{group}" for group in giving.groups} | ({"caller"} if own else set())
    if names.isdisjoint(asked.answerers):
        raise not_an_answerer(asked.answerers) if own else run_not_found()
    return asked


async def cancel(runs: Runs, database: Database, run_id: str, *, agent: str, caller: str) -> None:
    """End a run of the caller, wherever it is worked on. One that is over stays as it is.

    Raises:
        Problem: `RunNotFound`.
        StoreUnavailable: if the store is unavailable.
    """
    if await store.cancel(database, run_id, BY_CALLER, agent=agent, caller=caller):
        RUNS.labels(agent, BY_CALLER.type).inc()
        runs.stop({run_id})
    elif await look(database, run_id, agent=agent, caller=caller, after=None) is None:
        raise run_not_found()
