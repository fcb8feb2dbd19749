"""Runs and their events, written by one host at a time.

A run is one question being answered. The host that works on it holds a lease, which it renews; when the host dies, the
lease runs out and another host starts the next attempt. Every write names the attempt and the owner and touches nothing
if the run has moved on (*fencing*), so a host that only seemed dead cannot write into its successor's attempt.

A run that waits for an input has no lease and is nobody's. `requestTimeout` counts working time: a deadline moves on by
the time for which nobody worked on its run.

Events are stored in batches: everything that waited when a commit began is one row. They are handed to clients only
after that commit, so what a client has seen is never lost.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import orjson

from slipway_runtime.events import Cancelled, Event, EventId, InputRequired, NumberedEvent, ends
from slipway_runtime.protocols.ask import Ask
from slipway_runtime.store.database import Database, Row, Value, placeholders
from slipway_runtime.store.inputs import InputAnswer, add_event, add_input, answers_of
from slipway_runtime.store.orphans import OWN_IS_READY
from slipway_runtime.store.sessions import SessionFull, SessionNotFound, busy, keep, take_turn
from slipway_runtime.store.steps import Replay, StepRecord, dump_records, replay
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
FINISH = f"UPDATE runs SET outcome = $10, result = $11, lease_until = 0 WHERE {OWN} RETURNING id, attempt"
WAIT = f"UPDATE runs SET wake_at = $10, lease_until = now_epoch() WHERE {OWN} RETURNING id, attempt"

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

FINISHED_A_STEP = (
    "EXISTS (SELECT 1 FROM events e WHERE e.run_id = runs.id AND e.attempt = runs.attempt AND e.finished > 0)"
)
"""SQL about a row of `runs`: whether its latest attempt finished a step."""


class RunExists(Exception):
    """A run of this id was begun before: attach to it."""


class OtherQuestion(RunExists):
    """The run of this id was begun with another question or session."""


class LeaseLost(Exception):
    """The run is another host's now, is over, or was deleted: stop working on it."""


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


class _EventsRow(NamedTuple):
    """A row of `events`, apart from its run and attempt."""

    number: int
    first_seq: int
    last_seq: int
    batch: str
    steps: str | None
    finished: int


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


NextTurn = Callable[[Database, Question], Awaitable[int]]


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
        SessionNotFound, SessionFull, OtherRevision: see `take_turn`.
    """
    while True:
        try:
            turn = await _add_turn(database, question, owner=owner, lease=lease, next_turn=next_turn, kept=kept)
            break
        except _JustOver:
            continue
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
    """Whether the same thing is asked. Sessions are compared by themselves, and each grant is made anew."""
    apart = {"session": None, "grant": None}
    return one.model_copy(update=apart) == other.model_copy(update=apart)


async def append(
    database: Database,
    lease: Lease,
    first_seq: int,
    events: Sequence[Event],
    *,
    steps: Sequence[StepRecord] = (),
    number: int | None = None,
) -> None:
    """Commit events and records of steps of an attempt, in one row. May be repeated if unsure.

    A last event (`Done`, `Failed`, `Cancelled`) also ends the run; an `InputRequired` at the end lets it wait.

    Args:
        first_seq: number of the first event; that of the next one if there are only records.
        number: of the row. It rises within the attempt; that of the first event if it is left out.

    Raises:
        LeaseLost: if the run is no longer the lease's; nothing is written then.
    """
    dumped = [event.to_json() for event in events]
    last, last_seq = events[-1] if events else None, first_seq + len(events) - 1
    row = _EventsRow(
        number or first_seq,
        first_seq,
        last_seq,
        orjson.dumps(dumped).decode(),
        dump_records(steps),
        sum(step.finished for step in steps),
    )
    if isinstance(last, InputRequired):
        async with database.transaction() as transaction:
            written = await _add(transaction, lease, row, events, WAIT, last.expires)
            if written:
                await add_input(transaction, lease.run_id, last)
                await keep(transaction, lease.run_id, until=last.expires)
    elif last is not None and ends(last):
        written = await _add(database, lease, row, events, FINISH, last.type, orjson.dumps(dumped[-1]).decode())
    else:
        written = await _add(database, lease, row, events)
    if not written and not await _was_written(database, lease, row.number):
        raise LeaseLost(lease.run_id)


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
        "UPDATE runs SET attempt = attempt + 1, owner = $3, lease_until = now_epoch() + $4, revision = $5, "
        "fresh_from = CASE WHEN revision = $5 THEN fresh_from ELSE attempt + 1 END, "
        f"deaths = CASE WHEN {FINISHED_A_STEP} THEN 0 ELSE deaths END "
        "+ CASE WHEN owner IN ('', $3) THEN 0 ELSE 1 END, "
        "deadline = deadline + CASE WHEN lease_until < now_epoch() THEN now_epoch() - lease_until ELSE 0 END "
        "WHERE id = $1 AND attempt = $2 AND outcome IS NULL AND wake_at IS NULL AND "
        f"(owner = $3 OR (lease_until < now_epoch() AND (revision = $5 OR NOT {OWN_IS_READY}))) "
        "RETURNING attempt, deaths, fresh_from, agent, caller, session_id, turn, ask, "
        "deadline - now_epoch() AS time_left",
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


async def cancel(database: Database, run_id: str, event: Cancelled, *, agent: str, caller: str) -> bool:
    """End a run with `event`, whoever works on it. False if it is over, or not the caller's."""
    async with database.transaction() as transaction:
        rows = await transaction.fetch(
            "UPDATE runs SET outcome = 'cancelled', result = $4, lease_until = 0, owner = '', wake_at = NULL "
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
