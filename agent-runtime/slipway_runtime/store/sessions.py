"""Conversations: who owns which, how many turns they have, and when they are forgotten.

A turn of a session is a run (`store/runs.py`). A session belongs to one caller and one agent; to everybody else it does
not exist.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson

from slipway_runtime.store.database import Database, placeholders

SHOWN_TURNS = 200
"""The turns that `read_session` gives at most: a thousand answers with their sources may be tens of megabytes."""

LEFT_SECONDS = 7 * 86_400
"""For how long the store keeps what it has of a session in Redis that no agent looks after."""


class SessionNotFound(Exception):
    """There is no such session for this caller and agent, or it has expired."""


class SessionFull(Exception):
    """The session has as many turns as its agent allows."""


class OtherRevision(Exception):
    """The session belongs to another revision of its agent, which still answers."""

    def __init__(self, revision: str) -> None:
        super().__init__(revision)
        self.revision = revision


class SessionBusy(Exception):
    """The session has a run that is not over: `run_id`, which waits for an input where `waits`."""

    def __init__(self, run_id: str, *, waits: bool) -> None:
        super().__init__(run_id)
        self.run_id = run_id
        self.waits = waits


@dataclass(frozen=True)
class Turn:
    """One question of a session and what became of it."""

    run_id: str
    question: str
    created: float
    """When it was asked, in seconds since 1970."""
    outcome: str | None
    """`done`, `failed` or `cancelled`; None while it is being answered."""
    waits: bool
    """Whether it waits for an input."""
    result: dict[str, Any] | None
    """The last event, as JSON; None while it is being answered."""

    @property
    def abstained(self) -> bool | None:
        """Whether the agent declined to answer; None without an answer."""
        return self.result.get("finish") == "abstained" if self.result and self.outcome == "done" else None


@dataclass(frozen=True)
class Session:
    """A session as its owner sees it, with its newest turns, oldest first."""

    id: str
    agent: str
    created: float
    expires: float
    turns: tuple[Turn, ...]


async def take_turn(
    database: Database,
    session_id: str,
    *,
    agent: str,
    caller: str,
    ttl: float,
    max_turns: int,
    revision: str,
    retiring: frozenset[str] = frozenset(),
) -> int:
    """Count one more turn and keep the session for another `ttl` seconds. Returns the turn's number, from 1.

    Args:
        revision: the one that answers. The session belongs to it from now on.
        retiring: other revisions that still answer.

    Raises:
        SessionNotFound: if it is not there, not the caller's, or of another agent.
        OtherRevision: if it belongs to one of those that retire.
        SessionFull: if it has `max_turns` already.
    """
    others = sorted(retiring - {revision})
    elsewhere = f"AND revision NOT IN ({placeholders(7, len(others))}) " if others else ""
    while True:
        rows = await database.fetch(
            "UPDATE sessions SET turns = turns + 1, expires = now_epoch() + $4, revision = $6 "
            "WHERE id = $1 AND agent = $2 AND caller = $3 AND kept = '' AND expires > now_epoch() AND turns < $5 "
            f"{elsewhere}RETURNING turns",
            session_id,
            agent,
            caller,
            ttl,
            max_turns,
            revision,
            *others,
        )
        if rows:
            return cast(int, rows[0]["turns"])
        await _refuse(database, session_id, agent=agent, caller=caller, others=others, max_turns=max_turns)


async def _refuse(
    database: Database, session_id: str, *, agent: str, caller: str, others: Sequence[str], max_turns: int
) -> None:
    """Raise why a session takes no turn. One that takes turns was begun by another question just now."""
    found = await database.fetch(
        "SELECT revision, turns FROM sessions WHERE id = $1 AND agent = $2 AND caller = $3 AND kept = '' "
        "AND expires > now_epoch()",
        session_id,
        agent,
        caller,
    )
    if not found:
        raise SessionNotFound(session_id)
    if (revision := cast(str, found[0]["revision"])) in others:
        raise OtherRevision(revision)
    if cast(int, found[0]["turns"]) >= max_turns:
        raise SessionFull(session_id)


async def read_session(database: Database, session_id: str, *, agent: str, caller: str) -> Session:
    """A session and its newest turns, `SHOWN_TURNS` at most, oldest first.

    Raises:
        SessionNotFound: if it is not there, not the caller's, or of another agent.
    """
    rows = await database.fetch(
        "SELECT created, expires FROM sessions "
        "WHERE id = $1 AND agent = $2 AND caller = $3 AND kept = '' AND expires > now_epoch()",
        session_id,
        agent,
        caller,
    )
    if not rows:
        raise SessionNotFound(session_id)
    created, expires = cast(float, rows[0]["created"]), cast(float, rows[0]["expires"])
    turns = await read_turns(database, session_id)
    return Session(id=session_id, agent=agent, created=created, expires=expires, turns=turns)


async def read_turns(database: Database, session_id: str) -> tuple[Turn, ...]:
    """The newest turns of a session, `SHOWN_TURNS` at most, oldest first."""
    rows = await database.fetch(
        "SELECT id, question, created, outcome, wake_at, result FROM runs WHERE session_id = $1 "
        "ORDER BY turn DESC LIMIT $2",
        session_id,
        SHOWN_TURNS,
    )
    return tuple(
        Turn(
            run_id=cast(str, row["id"]),
            question=cast(str, row["question"]),
            created=cast(float, row["created"]),
            outcome=cast(str | None, row["outcome"]),
            waits=row["outcome"] is None and row["wake_at"] is not None,
            result=orjson.loads(cast(str, row["result"])) if row["result"] else None,
        )
        for row in reversed(rows)
    )


@dataclass(frozen=True)
class FinishedTurn:
    """A question of a session and its answer."""

    question: str
    answer: str
    abstained: bool
    number: int = 0
    """In its session, from 1; 0 for a turn of no session."""


@dataclass(frozen=True)
class Summary:
    """What stands for a session's oldest turns."""

    text: str = ""
    turn: int = 0
    """The number of the last turn that it stands for; 0 for none."""


async def finished_turns(
    database: Database, session_id: str, *, after: int = 0, before: int, limit: int
) -> tuple[FinishedTurn, ...]:
    """The last turns with numbers between `after` and `before` that have an answer, `limit` at most, oldest first."""
    rows = await database.fetch(
        "SELECT question, result, turn FROM runs WHERE session_id = $1 AND turn > $2 AND turn < $3 "
        "AND outcome = 'done' ORDER BY turn DESC LIMIT $4",
        session_id,
        after,
        before,
        limit,
    )
    results = [(row, orjson.loads(cast(str, row["result"]))) for row in reversed(rows)]
    return tuple(
        FinishedTurn(
            cast(str, row["question"]),
            result.get("answer", ""),
            result.get("finish") == "abstained",
            cast(int, row["turn"]),
        )
        for row, result in results
    )


async def read_summary(database: Database, session_id: str) -> Summary:
    """What stands for the session's oldest turns; nothing for a session that is not there."""
    rows = await database.fetch("SELECT summary, summarized FROM sessions WHERE id = $1", session_id)
    return Summary(cast(str, rows[0]["summary"]), cast(int, rows[0]["summarized"])) if rows else Summary()


async def save_summary(database: Database, session_id: str, summary: Summary) -> None:
    """Keep a summary, unless the session has one that stands for more turns."""
    await database.execute(
        "UPDATE sessions SET summary = $2, summarized = $3 WHERE id = $1 AND summarized < $3",
        session_id,
        summary.text.replace("\0", ""),
        summary.turn,
    )


async def delete_session(database: Database, session_id: str, *, agent: str, caller: str) -> None:
    """Delete a session with its runs and their events. A run that is under way stops.

    Raises:
        SessionNotFound: if it is not there, not the caller's, or of another agent.
    """
    deleted = await database.execute(
        "DELETE FROM sessions WHERE id = $1 AND agent = $2 AND caller = $3 AND kept = ''", session_id, agent, caller
    )
    if not deleted:
        raise SessionNotFound(session_id)


async def delete_leftover(database: Database, session_id: str, *, agent: str, caller: str, kept: str = "") -> None:
    """Delete what the store still has of a session that is over, so that one of the same id can be begun.

    Args:
        kept: where the new one is kept. What is left of one that was kept elsewhere goes too.
    """
    await database.execute(
        "DELETE FROM sessions WHERE id = $1 AND agent = $2 AND caller = $3 "
        "AND (kept <> $4 OR kept <> '' OR expires <= now_epoch()) AND NOT EXISTS (SELECT 1 FROM runs r "
        "WHERE r.session_id = $1 AND r.outcome IS NULL AND r.lease_until > now_epoch())",
        session_id,
        agent,
        caller,
        kept,
    )


async def busy(database: Database, session_id: str) -> SessionBusy | None:
    """What keeps the session from taking a question now."""
    rows = await database.fetch("SELECT id, wake_at FROM runs WHERE session_id = $1 AND outcome IS NULL", session_id)
    return SessionBusy(cast(str, rows[0]["id"]), waits=rows[0]["wake_at"] is not None) if rows else None


async def keep(database: Database, run_id: str, *, until: float | None = None) -> None:
    """Keep a run and its session for another `ttl`, which begins at `until`, or now."""
    await database.execute(
        "UPDATE runs SET expires = coalesce(CAST($2 AS DOUBLE PRECISION), now_epoch()) + ttl WHERE id = $1",
        run_id,
        until,
    )
    await database.execute(
        "UPDATE sessions SET expires = (SELECT r.expires FROM runs r WHERE r.id = $1) "
        "WHERE id = (SELECT r.session_id FROM runs r WHERE r.id = $1)",
        run_id,
    )


async def delete_expired_runs(database: Database, *, limit: int) -> int:
    """Delete up to `limit` runs without a session whose time is over and that nobody works on. Returns how many."""
    return await database.execute(
        "DELETE FROM runs WHERE id IN (SELECT id FROM runs WHERE session_id IS NULL AND expires < now_epoch() "
        "AND (outcome IS NOT NULL OR lease_until < now_epoch()) LIMIT $1)",
        limit,
    )


async def delete_expired(database: Database, *, limit: int) -> int:
    """Delete up to `limit` sessions whose time is over and that answer nothing now. Returns how many.

    Those that are kept in Redis are deleted by the agent that keeps them, unless nobody did so for days.
    """
    return await database.execute(
        "DELETE FROM sessions WHERE id IN ("
        "SELECT s.id FROM sessions s WHERE s.expires < now_epoch() AND "
        f"(s.kept = '' OR s.expires < now_epoch() - {LEFT_SECONDS}) AND NOT EXISTS ("
        "SELECT 1 FROM runs r WHERE r.session_id = s.id AND r.outcome IS NULL AND r.lease_until > now_epoch()"
        ") LIMIT $1)",
        limit,
    )
