"""Runs and their events, written by one host at a time.

A run is one question being answered. The host that works on it holds a lease, which it renews; when the host dies, the
lease runs out and another host starts the next attempt. Every write names the attempt and the owner and touches nothing
if the run has moved on (*fencing*), so a host that only seemed dead cannot write into its successor's attempt.

A run that waits for an input has no lease and is nobody's. `requestTimeout` counts working time: a deadline moves on by
the time for which nobody worked on its run.

Events are stored in batches: everything that waited when a commit began is one row. They are handed to clients only
after that commit, so what a client has seen is never lost.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import orjson

from slipway_runtime.events import Cancelled, Event, InputRequired, Json, ends
from slipway_runtime.protocols.ask import Ask
from slipway_runtime.store.database import Database, Value
from slipway_runtime.store.inputs import add_event, add_input
from slipway_runtime.store.leases import Lease, LeaseLost, Work
from slipway_runtime.store.sessions import SessionFull, SessionNotFound, busy, keep, take_turn
from slipway_runtime.store.steps import StepRecord, dump_records
from slipway_runtime.store.usage import add_usage

OWN = "id = $1 AND attempt = $2 AND owner = $3 AND outcome IS NULL AND wake_at IS NULL"
"""SQL about a row of `runs`: whether it is the lease's that the parameters describe."""
ADD_EVENTS = (
    "INSERT INTO events (run_id, attempt, number, first_seq, last_seq, batch, steps, finished) "
    "SELECT id, attempt, CAST($4 AS BIGINT), CAST($5 AS BIGINT), CAST($6 AS BIGINT), CAST($7 AS TEXT), "
    "CAST($8 AS TEXT), CAST($9 AS BIGINT) FROM "
)
EVENTS_OF_FIRST = f"{ADD_EVENTS} s1 RETURNING run_id, attempt, number"
# The row lock makes a takeover wait for this commit, or this statement see the takeover.
EVENTS_OF_RUN = (
    f"{ADD_EVENTS} runs WHERE {OWN} FOR UPDATE "
    "ON CONFLICT (run_id, attempt, number) DO NOTHING RETURNING run_id, attempt, number"
)
FINISH = (
    "UPDATE runs SET outcome = $10, result = $11, lease_until = 0, changed = now_epoch() "
    f"WHERE {OWN} RETURNING id, attempt"
)
WAIT = (
    f"UPDATE runs SET wake_at = $10, lease_until = now_epoch(), changed = now_epoch() WHERE {OWN} RETURNING id, attempt"
)

ADD_RUN = (
    "INSERT INTO runs (id, session_id, turn, agent, caller, question, created, ttl, expires, deadline, attempt, "
    "fresh_from, deaths, owner, lease_until, revision, ask) "
    "VALUES ($1, $2, $3, $4, $5, $6, now_epoch(), $7, now_epoch() + $7, now_epoch() + $8, 1, 1, 0, $9, "
    "now_epoch() + $10, $11, $12) ON CONFLICT DO NOTHING RETURNING session_id, agent, caller, "
    "created, expires, revision"
)
ADD_SESSION = (
    "INSERT INTO sessions (id, agent, caller, turns, created, expires, revision, architecture, metadata, kept) "
    "SELECT session_id, agent, caller, 1, created, expires, revision, CAST($13 AS TEXT), CAST($14 AS TEXT), "
    "CAST($15 AS TEXT) FROM s1 RETURNING id"
)
"""Of a run that was just stored, as its first turn."""


class RunExists(Exception):
    """A run of this id was begun before: attach to it."""


class OtherQuestion(RunExists):
    """The run of this id was begun with another question or session."""


@dataclass(frozen=True)
class Question:
    """What is needed to begin a run. Times are in seconds."""

    run_id: str
    agent: str
    revision: str
    caller: str
    ask: Ask
    session_id: str | None
    """None for a run that belongs to no session."""
    new_session: bool
    session_ttl: float
    max_turns: int
    timeout: float
    architecture: str = ""
    """Of the agent, for reporting tools."""
    retiring: frozenset[str] = frozenset()
    """Other revisions that still answer, and keep their sessions."""


class _EventsRow(NamedTuple):
    """A row of `events`, apart from its run and attempt."""

    number: int
    first_seq: int
    last_seq: int
    batch: str
    steps: str | None
    finished: int


NextTurn = Callable[[Database, Question], Awaitable[int]]


class SessionExists(Exception):
    """The session that was to be begun is there: go on with it."""


class _JustOver(Exception):
    """The session was busy, and is not any more: try again."""


async def _stored_turn(database: Database, question: Question) -> int:
    assert question.session_id is not None
    return await take_turn(
        database,
        question.session_id,
        agent=question.agent,
        caller=question.caller,
        ttl=question.session_ttl,
        max_turns=question.max_turns,
        revision=question.revision,
        retiring=question.retiring,
    )


async def begin(
    database: Database,
    question: Question,
    *,
    owner: str,
    lease: float,
    next_turn: NextTurn = _stored_turn,
    kept: str = "",
) -> Work:
    """Store the question, as a turn of its session, and take the lease of its first attempt. One commit.

    Args:
        next_turn: gives the number of a question in a session that is not new, within that commit.
        kept: where a new session is kept, for the store's row of it.

    Raises:
        RunExists: if there is a run of this id (`OtherQuestion` where it is not this one); nothing is changed then.
        SessionBusy: if the session has a run that is not over.
        SessionExists: if the session has an id that was chosen for it, is to be new, and is not.
        SessionNotFound, SessionFull, OtherRevision: see `take_turn`.
    """
    while True:
        try:
            turn = await _add_turn(database, question, owner=owner, lease=lease, next_turn=next_turn, kept=kept)
            break
        except _JustOver:
            if question.new_session and question.ask.begins_session:
                raise SessionExists(question.session_id) from None
    return Work(
        lease=Lease(question.run_id, 1, owner),
        agent=question.agent,
        caller=question.caller,
        session_id=question.session_id,
        turn=turn,
        ask=question.ask,
        time_left=question.timeout,
    )


async def _add_turn(
    database: Database, question: Question, *, owner: str, lease: float, next_turn: NextTurn, kept: str
) -> int | None:
    if question.session_id is None or question.new_session:
        turn = None if question.session_id is None else 1
        await _add_run(database, question, turn=turn, owner=owner, lease=lease, kept=kept)
        return turn
    async with database.transaction() as transaction:
        turn = await _next(transaction, question, next_turn)
        await _add_run(transaction, question, turn=turn, owner=owner, lease=lease)
    return turn


async def _add_run(
    database: Database, question: Question, *, turn: int | None, owner: str, lease: float, kept: str = ""
) -> None:
    """Store the run, with its session if that is new."""
    statements = [ADD_RUN]
    args: list[Value] = [
        question.run_id,
        question.session_id,
        turn,
        question.agent,
        question.caller,
        question.ask.text.replace("\0", ""),
        question.session_ttl,
        question.timeout,
        owner,
        lease,
        question.revision,
        question.ask.model_dump_json(exclude_none=True),
    ]
    if turn == 1 and question.new_session:
        statements.append(ADD_SESSION)
        args += [question.architecture, orjson.dumps(question.ask.metadata or {}).decode(), kept]
    if not await database.chain(*statements, args=args):
        await same_run(database, question)
        raise await busy(database, question.session_id or "") or _JustOver(question.run_id)


async def _next(database: Database, question: Question, next_turn: NextTurn) -> int:
    try:
        return await next_turn(database, question)
    except (SessionFull, SessionNotFound):
        # A question that is sent again after a lost connection may itself have filled the session.
        await same_run(database, question)
        raise


async def same_run(database: Database, question: Question) -> None:
    """Raise RunExists or OtherQuestion if there is a run of this id."""
    rows = await database.fetch("SELECT ask, session_id FROM runs WHERE id = $1", question.run_id)
    if not rows:
        return
    same_session = question.new_session or rows[0]["session_id"] == question.session_id
    if same_session and same_question(Ask.model_validate_json(cast(str, rows[0]["ask"])), question.ask):
        raise RunExists(question.run_id) from None
    raise OtherQuestion(question.run_id) from None


def same_question(one: Ask, other: Ask) -> bool:
    """Whether the same thing is asked. Sessions are compared by themselves, each grant is made anew, and the groups of
    the first time count."""
    apart = {"session": None, "grant": None, "groups": None}
    return one.model_copy(update=apart) == other.model_copy(update=apart)


async def append(
    database: Database,
    lease: Lease,
    first_seq: int,
    events: Sequence[Event],
    *,
    steps: Sequence[StepRecord] = (),
    number: int | None = None,
    written: Sequence[Json] | None = None,
) -> None:
    """Commit events and records of steps of an attempt, in one row. May be repeated if unsure.

    A last event (`Done`, `Failed`, `Cancelled`) also ends the run; an `InputRequired` at the end lets it wait.

    Args:
        first_seq: number of the first event; that of the next one if there are only records.
        number: of the row. It rises within the attempt; that of the first event if it is left out.
        written: the events as JSON, if that was made before.

    Raises:
        LeaseLost: if the run is no longer the lease's; nothing is written then.
    """
    last = events[-1] if events else None
    if written is None:
        written = [event.to_json() for event in events]
    row = _row(first_seq, written, steps, number=number or first_seq)
    if isinstance(last, InputRequired):
        async with database.transaction() as transaction:
            added = await _add(transaction, lease, row, events, WAIT, last.expires)
            if added:
                await add_input(transaction, lease.run_id, last)
                await keep(transaction, lease.run_id, until=last.expires)
    elif last is not None and ends(last):
        added = await _add(database, lease, row, events, FINISH, last.type, orjson.dumps(written[-1]).decode())
    else:
        added = await _add(database, lease, row, events)
    if not added and not await _was_written(database, lease, row.number):
        raise LeaseLost(lease.run_id)


def _row(first_seq: int, events: Sequence[Json], steps: Sequence[StepRecord], *, number: int) -> _EventsRow:
    return _EventsRow(
        number=number,
        first_seq=first_seq,
        last_seq=first_seq + len(events) - 1,
        batch=orjson.dumps(events).decode(),
        steps=dump_records(steps),
        finished=sum(step.finished for step in steps),
    )


async def _add(
    database: Database, lease: Lease, row: _EventsRow, events: Sequence[Event], change: str = "", *more: Value
) -> bool:
    """Write a row of events, with what they report of models, after a `change` of the run. False if it is not ours."""
    args = [lease.run_id, lease.attempt, lease.owner, *row, *more]
    statements = [change, EVENTS_OF_FIRST] if change else [EVENTS_OF_RUN]
    usage, values = add_usage(events, row=f"s{len(statements)}", first=len(args) + 1)
    return bool(await database.chain(*statements, *([usage] if usage else []), args=[*args, *values]))


async def _was_written(database: Database, lease: Lease, number: int) -> bool:
    """Whether an earlier try, whose outcome was unknown, did write this row."""
    rows = await database.fetch(
        "SELECT 1 AS one FROM runs r JOIN events e ON e.run_id = r.id AND e.attempt = r.attempt "
        "WHERE r.id = $1 AND r.attempt = $2 AND r.owner = $3 AND e.number = $4",
        lease.run_id,
        lease.attempt,
        lease.owner,
        number,
    )
    return bool(rows)


async def cancel(database: Database, run_id: str, event: Cancelled, *, agent: str, caller: str) -> bool:
    """End a run with `event`, whoever works on it. False if it is over, or not the caller's."""
    async with database.transaction() as transaction:
        rows = await transaction.fetch(
            "UPDATE runs SET outcome = 'cancelled', result = $4, lease_until = 0, owner = '', wake_at = NULL, "
            "changed = now_epoch() "
            "WHERE id = $1 AND agent = $2 AND caller = $3 AND outcome IS NULL RETURNING attempt",
            run_id,
            agent,
            caller,
            orjson.dumps(event.to_json()).decode(),
        )
        if rows:
            await add_event(transaction, run_id, cast(int, rows[0]["attempt"]), event)
            await keep(transaction, run_id)
    return bool(rows)
