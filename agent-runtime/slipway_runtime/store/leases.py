"""The right to write a run: taken over from hosts that died, renewed and given back.

The host that works on a run holds its lease, which it renews; when the host dies, the lease runs out and another host
starts the next attempt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from slipway_runtime.protocols.ask import Ask
from slipway_runtime.store.database import Database, placeholders
from slipway_runtime.store.inputs import InputAnswer, answers_of
from slipway_runtime.store.orphans import OWN_IS_READY
from slipway_runtime.store.steps import Replay, replay

FINISHED_A_STEP = (
    "EXISTS (SELECT 1 FROM events e WHERE e.run_id = runs.id AND e.attempt = runs.attempt AND e.finished > 0)"
)
"""SQL about a row of `runs`: whether its latest attempt finished a step."""
TAKE_OVER = (
    "UPDATE runs SET attempt = attempt + 1, owner = $3, lease_until = now_epoch() + $4, revision = $5, "
    "fresh_from = CASE WHEN revision = $5 THEN fresh_from ELSE attempt + 1 END, "
    f"deaths = CASE WHEN {FINISHED_A_STEP} THEN 0 ELSE deaths END "
    "+ CASE WHEN owner IN ('', $3) THEN 0 ELSE 1 END, "
    "deadline = deadline + CASE WHEN lease_until < now_epoch() THEN now_epoch() - lease_until ELSE 0 END "
    "WHERE id = $1 AND attempt = $2 AND outcome IS NULL AND wake_at IS NULL AND "
    f"(owner = $3 OR (lease_until < now_epoch() AND (revision = $5 OR NOT {OWN_IS_READY}))) "
    "RETURNING attempt, deaths, fresh_from, agent, caller, session_id, turn, ask, "
    "deadline - now_epoch() AS time_left"
)
"""SQL of the next attempt: $1 run, $2 the attempt that was seen, $3 owner, $4 lease in seconds, $5 revision."""


class LeaseLost(Exception):
    """The run is another host's now, is over, or was deleted: stop working on it."""


@dataclass(frozen=True)
class Lease:
    """The right to write one attempt of one run, until it runs out."""

    run_id: str
    attempt: int
    owner: str


@dataclass(frozen=True)
class Work:
    """A run that this host now has the lease of."""

    lease: Lease
    agent: str
    caller: str
    session_id: str | None
    turn: int | None
    """The question's number in its session, from 1."""
    ask: Ask
    time_left: float
    """Seconds until the question's deadline; negative if it has passed."""
    deaths: int = 0
    """Attempts whose host died and after which no step was finished."""
    replay: Replay = field(default_factory=Replay)
    """What former attempts left."""
    answers: Mapping[str, InputAnswer] = field(default_factory=dict)
    """Inputs that were given, by their id."""


async def renew(database: Database, leases: Sequence[Lease], *, seconds: float) -> set[str]:
    """Renew the leases of one host, all in one statement. Returns the runs that are still its own."""
    if not leases:
        return set()
    rows = await database.fetch(
        "UPDATE runs SET lease_until = now_epoch() + $2 "
        f"WHERE owner = $1 AND outcome IS NULL AND wake_at IS NULL AND id IN ({placeholders(3, len(leases))}) "
        "RETURNING id",
        leases[0].owner,
        seconds,
        *(lease.run_id for lease in leases),
    )
    return {cast(str, row["id"]) for row in rows}


async def release(database: Database, leases: Sequence[Lease]) -> None:
    """Give leases up, so that another host may take the runs over at once."""
    if not leases:
        return
    await database.execute(
        "UPDATE runs SET lease_until = now_epoch() - 1, owner = '' "
        f"WHERE owner = $1 AND outcome IS NULL AND wake_at IS NULL AND id IN ({placeholders(2, len(leases))})",
        leases[0].owner,
        *(lease.run_id for lease in leases),
    )


async def take_over(
    database: Database, run_id: str, *, attempt: int, owner: str, lease: float, revision: str
) -> Work | None:
    """Begin the next attempt of a run whose lease has run out, or which this host lost track of.

    Args:
        attempt: the attempt that the caller saw; if it is no longer the latest, another host was quicker.
        revision: the heir's. A run of another revision is taken over only while no host of its own is ready.

    Returns:
        What to work on, or None if there is nothing to take over.
    """
    rows = await database.fetch(
        TAKE_OVER,
        run_id,
        attempt,
        owner,
        lease,
        revision,
    )
    if not rows:
        return None
    row = rows[0]
    return Work(
        lease=Lease(run_id, cast(int, row["attempt"]), owner),
        agent=cast(str, row["agent"]),
        caller=cast(str, row["caller"]),
        session_id=cast(str | None, row["session_id"]),
        turn=cast(int | None, row["turn"]),
        ask=Ask.model_validate_json(cast(str, row["ask"])),
        time_left=cast(float, row["time_left"]),
        deaths=cast(int, row["deaths"]),
        replay=await _read_replay(database, run_id, fresh_from=cast(int, row["fresh_from"])),
        answers=await answers_of(database, run_id),
    )


async def _read_replay(database: Database, run_id: str, *, fresh_from: int) -> Replay:
    # Nobody adds to former attempts any more: the lease is ours.
    rows = await database.fetch(
        "SELECT attempt, batch, steps FROM events WHERE run_id = $1 ORDER BY attempt, number", run_id
    )
    return replay(rows, fresh_from=fresh_from)
