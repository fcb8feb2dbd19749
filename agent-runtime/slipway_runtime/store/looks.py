"""Reading a run and its events, for those who follow it."""

from dataclasses import dataclass
from typing import Any, cast

import orjson

from slipway_runtime.events import EventId, NumberedEvent
from slipway_runtime.store.database import Database, Row


@dataclass(frozen=True)
class Look:
    """A run as the store has it, with the events after the one that was asked about."""

    attempt: int
    owner: str
    lease_left: float
    """Seconds until the lease runs out; negative if it has."""
    waits_for: float | None
    """Seconds until the input that the run waits for counts as denied; None for a run that does not wait."""
    outcome: str | None
    events: tuple[NumberedEvent, ...]


async def look(database: Database, run_id: str, *, agent: str, caller: str, after: EventId | None) -> Look | None:
    """The state of a run and its events after `after`, in one statement; None if it is not the caller's."""
    rows = await database.fetch(
        "SELECT r.attempt, r.owner, r.outcome, r.lease_until - now_epoch() AS lease_left, "
        "r.wake_at - now_epoch() AS waits_for, e.attempt AS event_attempt, e.first_seq, e.batch "
        "FROM runs r LEFT JOIN events e ON e.run_id = r.id "
        "AND (e.attempt > $4 OR (e.attempt = $4 AND e.last_seq > $5)) "
        "WHERE r.id = $1 AND r.agent = $2 AND r.caller = $3 ORDER BY e.attempt, e.number",
        run_id,
        agent,
        caller,
        after.attempt if after else 0,
        after.seq if after else 0,
    )
    if not rows:
        return None
    state = rows[0]
    return Look(
        attempt=cast(int, state["attempt"]),
        owner=cast(str, state["owner"]),
        lease_left=cast(float, state["lease_left"]),
        waits_for=cast(float | None, state["waits_for"]),
        outcome=cast(str | None, state["outcome"]),
        events=tuple(event for row in rows for event in _unpack(run_id, row, after)),
    )


def _unpack(run_id: str, row: Row, after: EventId | None) -> list[NumberedEvent]:
    if row["batch"] is None:
        return []
    attempt, first_seq = cast(int, row["event_attempt"]), cast(int, row["first_seq"])
    batch: list[Any] = orjson.loads(cast(str, row["batch"]))
    numbered = [
        NumberedEvent.read(EventId(run_id, attempt, seq), event) for seq, event in enumerate(batch, start=first_seq)
    ]
    return [event for event in numbered if after is None or event.id[1:] > after[1:]]
