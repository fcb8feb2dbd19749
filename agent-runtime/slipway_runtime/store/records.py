"""Runs as records: what was asked, what became of it and when. For protocols whose clients look tasks up."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import orjson

from slipway_runtime.events import NumberedEvent
from slipway_runtime.protocols.ask import Ask
from slipway_runtime.store.database import Database, Row, Value
from slipway_runtime.store.inputs import answers_of
from slipway_runtime.store.looks import look
from slipway_runtime.store.run_list import STATES, Place, state_in

CHANGED = "(CASE WHEN r.changed > r.created THEN r.changed ELSE r.created END)"
"""SQL about a row of `runs` named r: when it last became what it is."""
COLUMNS = (
    f"r.id, r.session_id, r.question, r.created, {CHANGED} AS changed, r.outcome, r.wake_at, "
    "(SELECT s.metadata FROM sessions s WHERE s.id = r.session_id) AS metadata"
)
LONGEST_PAGE = 100


@dataclass(frozen=True)
class RunRecord:
    """A run. Times are in seconds since 1970."""

    run_id: str
    session_id: str | None
    question: str
    created: float
    changed: float
    """When it ended, began to wait or stopped waiting; `created` if it never did."""
    state: str
    metadata: Mapping[str, Any]
    """The run's own in a record that is read by itself, its session's in a list."""
    events: tuple[NumberedEvent, ...] = ()
    """Those so far; none in a list."""
    answers: Mapping[str, Any] = field(default_factory=dict)
    """What the caller answered, by the input's id; none in a list."""

    @property
    def place(self) -> Place:
        """Where the list goes on after it."""
        return Place(self.changed, self.run_id)

    def to_json(self) -> dict[str, Any]:
        """The record as hosts send it."""
        return {
            "run_id": self.run_id,
            "session_id": self.session_id,
            "question": self.question,
            "created": self.created,
            "changed": self.changed,
            "state": self.state,
            "metadata": self.metadata,
            "answers": self.answers,
            "events": [event.json for event in self.events],
            "last_event": str(self.events[-1].id) if self.events else None,
        }


@dataclass(frozen=True)
class RecordFilter:
    """Which records of a caller with an agent."""

    agent: str
    caller: str
    session_id: str | None = None
    state: str | None = None
    since: float | None = None
    """Those that changed later than this."""


async def read_record(database: Database, run_id: str, *, agent: str, caller: str) -> RunRecord | None:
    """A run with its events so far; None if it is not the caller's run of this agent."""
    rows = await database.fetch(
        f"SELECT {COLUMNS}, r.ask FROM runs r WHERE r.id = $1 AND r.agent = $2 AND r.caller = $3",
        run_id,
        agent,
        caller,
    )
    seen = await look(database, run_id, agent=agent, caller=caller, after=None) if rows else None
    if seen is None:
        return None
    ask = Ask.model_validate_json(cast(str, rows[0]["ask"]))
    answers = {
        name: answer.answer or {"approved": answer.approved}
        for name, answer in (await answers_of(database, run_id)).items()
        if answer.by == caller
    }
    return replace(_record(rows[0], metadata=ask.metadata or {}), events=seen.events, answers=answers)


async def list_records(
    database: Database, wanted: RecordFilter, *, after: Place | None = None, limit: int = 50
) -> list[RunRecord]:
    """Up to `limit` records, those that changed last first, and one more if there is a next page."""
    where, args = _where(wanted)
    place = after or Place(float("inf"), "")
    first = len(args) + 1
    rows = await database.fetch(
        f"SELECT {COLUMNS} FROM runs r WHERE {where} AND ({CHANGED} < ${first} OR ({CHANGED} = ${first} "
        f"AND r.id < ${first + 1})) ORDER BY {CHANGED} DESC, r.id DESC LIMIT ${first + 2}",
        *args,
        place.time,
        place.run_id,
        limit + 1,
    )
    return [_record(row, metadata=orjson.loads(cast(str, row["metadata"] or "{}"))) for row in rows]


async def count_records(database: Database, wanted: RecordFilter) -> int:
    """How many there are on all pages."""
    where, args = _where(wanted)
    rows = await database.fetch(f"SELECT count(*) AS records FROM runs r WHERE {where}", *args)
    return cast(int, rows[0]["records"])


def _where(wanted: RecordFilter) -> tuple[str, list[Value]]:
    args: list[Value] = [wanted.agent, wanted.caller]
    where = "r.agent = $1 AND r.caller = $2"
    if wanted.state is not None:
        where += f" AND {STATES[wanted.state]}"
    for condition, value in (("r.session_id =", wanted.session_id), (f"{CHANGED} >", wanted.since)):
        if value is not None:
            args.append(value)
            where += f" AND {condition} ${len(args)}"
    return where, args


def _record(row: Row, *, metadata: Mapping[str, Any]) -> RunRecord:
    return RunRecord(
        run_id=cast(str, row["id"]),
        session_id=cast(str | None, row["session_id"]),
        question=cast(str, row["question"]),
        created=cast(float, row["created"]),
        changed=cast(float, row["changed"]),
        state=state_in(row),
        metadata=metadata,
    )
