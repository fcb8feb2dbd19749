"""The runs of a caller, newest first, in pages."""

from dataclasses import dataclass
from typing import NamedTuple, cast

from slipway_runtime.store.database import Database, Row

PAGE_SIZE = 50
STATES = {
    "running": "outcome IS NULL AND wake_at IS NULL",
    "waiting": "outcome IS NULL AND wake_at IS NOT NULL",
    "done": "outcome = 'done'",
    "failed": "outcome = 'failed'",
    "cancelled": "outcome = 'cancelled'",
}
"""What a run can be, and how the store has it."""


class Place(NamedTuple):
    """After which run a page begins."""

    time: float
    """What the list is ordered by, in seconds since 1970."""
    run_id: str

    def __str__(self) -> str:
        return f"{self.time!r}-{self.run_id}"

    @classmethod
    def parse(cls, text: str) -> "Place":
        """Read what `str` wrote.

        Raises:
            ValueError: if it is something else.
        """
        time, run_id = text.rsplit("-", 1)
        return cls(float(time), run_id)


@dataclass(frozen=True)
class RunSummary:
    """A run as its caller's list has it."""

    run_id: str
    session_id: str | None
    question: str
    created: float
    state: str
    waits_until: float | None
    """When the input that it waits for counts as denied, in seconds since 1970."""

    @property
    def place(self) -> Place:
        """Where the list goes on after it."""
        return Place(self.created, self.run_id)


async def list_runs(
    database: Database,
    *,
    agent: str,
    caller: str,
    session_id: str | None = None,
    state: str | None = None,
    after: Place | None = None,
) -> list[RunSummary]:
    """Up to `PAGE_SIZE` runs and one more, by which a caller knows that there is a next page."""
    place = after or Place(float("inf"), "")
    rows = await database.fetch(
        "SELECT id, session_id, question, created, outcome, wake_at FROM runs WHERE agent = $1 AND caller = $2 "
        f"AND (created < $3 OR (created = $3 AND id < $4)) {f'AND {STATES[state]}' if state else ''} "
        f"{'AND session_id = $6' if session_id else ''} ORDER BY created DESC, id DESC LIMIT $5",
        agent,
        caller,
        place.time,
        place.run_id,
        PAGE_SIZE + 1,
        *([session_id] if session_id else []),
    )
    return [
        RunSummary(
            run_id=cast(str, row["id"]),
            session_id=cast(str | None, row["session_id"]),
            question=cast(str, row["question"]),
            created=cast(float, row["created"]),
            state=state_in(row),
            waits_until=cast(float | None, row["wake_at"]),
        )
        for row in rows
    ]


async def state_of(database: Database, run_id: str, *, agent: str, caller: str) -> str | None:
    """What a run is: one of `STATES`. None if it is not the caller's run of this agent."""
    rows = await database.fetch(
        "SELECT outcome, wake_at FROM runs WHERE id = $1 AND agent = $2 AND caller = $3", run_id, agent, caller
    )
    return state_in(rows[0]) if rows else None


def state_in(row: Row) -> str:
    """What a run is, from `outcome` and `wake_at` of its row."""
    return cast(str | None, row["outcome"]) or ("running" if row["wake_at"] is None else "waiting")
