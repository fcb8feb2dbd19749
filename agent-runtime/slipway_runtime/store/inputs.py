"""Inputs that runs wait for: asked once, given once, by whom they are asked of or by the clock.

A run that waits has one open input. Giving it wakes the run: any host may then take it over. Whoever changes a run from
outside an attempt writes his event at the end of the run's latest attempt, which nobody else writes any more.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

import orjson

from slipway_runtime.events import Event, InputGiven, InputRequired
from slipway_runtime.store.database import Database, placeholders
from slipway_runtime.store.sessions import keep
from slipway_runtime.store.steps import INPUT_PREFIX

EXPIRY = "expiry"
"""Who gave an input that nobody gave in time."""


class InputNotOpen(Exception):
    """The input was given, its time is over, or its run is."""


@dataclass(frozen=True)
class InputAnswer:
    """An input that was given. An `answer` is there where one was asked for and approved."""

    approved: bool
    answer: Mapping[str, Any] | None
    by: str


@dataclass(frozen=True)
class Input:
    """An input that was asked for."""

    caller: str
    """Whose run it is."""
    kind: str
    answerers: tuple[str, ...]
    request: str | None
    """The request that gave it; None while it is open."""


async def add_input(database: Database, run_id: str, required: InputRequired) -> None:
    """Store what a run waits for."""
    await database.execute(
        "INSERT INTO inputs (run_id, id, kind, answerers) VALUES ($1, $2, $3, $4)",
        run_id,
        required.id,
        required.kind,
        orjson.dumps(required.answerers).decode(),
    )


async def read_input(database: Database, run_id: str, input_id: str, *, agent: str) -> Input | None:
    """An input of a run of this agent, whoever's it is; None if there is none."""
    rows = await database.fetch(
        "SELECT r.caller, i.kind, i.answerers, i.request FROM runs r JOIN inputs i ON i.run_id = r.id "
        "WHERE r.id = $1 AND r.agent = $2 AND i.id = $3",
        run_id,
        agent,
        input_id,
    )
    if not rows:
        return None
    row = rows[0]
    return Input(
        caller=cast(str, row["caller"]),
        kind=cast(str, row["kind"]),
        answerers=tuple(orjson.loads(cast(str, row["answerers"]))),
        request=cast(str | None, row["request"]),
    )


async def give(
    database: Database, run_id: str, input_id: str, answer: InputAnswer, *, request: str, grant: str | None = None
) -> int:
    """Store an answer and wake the run. Returns the attempt that was the last before.

    Args:
        request: names the request that gives it, so that one which was sent twice is known.
        grant: a new one for the run, whose old one may have expired while it waited.

    Raises:
        InputNotOpen: nothing is changed then.
    """
    in_time = "wake_at <= now_epoch()" if answer.by == EXPIRY else "wake_at > now_epoch()"
    async with database.transaction() as transaction:
        woken = await transaction.fetch(
            "UPDATE runs SET wake_at = NULL, owner = '', deaths = 0, changed = now_epoch() "
            f"WHERE id = $1 AND outcome IS NULL AND {in_time} "
            "RETURNING attempt",
            run_id,
        )
        if not woken:
            raise InputNotOpen(input_id)
        if grant is not None:
            await _renew(transaction, run_id, grant)
        given = await transaction.execute(
            "UPDATE inputs SET approved = $3, answer = $4, given_by = $5, request = $6 "
            "WHERE run_id = $1 AND id = $2 AND given_by IS NULL",
            run_id,
            input_id,
            int(answer.approved),
            orjson.dumps(answer.answer).decode(),
            answer.by,
            request,
        )
        if not given:
            raise InputNotOpen(input_id)
        attempt = cast(int, woken[0]["attempt"])
        await add_event(transaction, run_id, attempt, InputGiven(step=step_of(input_id), id=input_id, by=answer.by))
        await keep(transaction, run_id)
    return attempt


async def grant_of(database: Database, run_id: str) -> str | None:
    """The grant that a run has now."""
    rows = await database.fetch("SELECT ask FROM runs WHERE id = $1", run_id)
    grant = orjson.loads(cast(str, rows[0]["ask"])).get("grant") if rows else None
    return grant if isinstance(grant, str) else None


async def _renew(database: Database, run_id: str, grant: str) -> None:
    rows = await database.fetch("SELECT ask FROM runs WHERE id = $1", run_id)
    renewed = {**orjson.loads(cast(str, rows[0]["ask"])), "grant": grant}
    await database.execute("UPDATE runs SET ask = $2 WHERE id = $1", run_id, orjson.dumps(renewed).decode())


async def deny_expired(database: Database, agents: Sequence[str], *, limit: int, run_id: str | None = None) -> None:
    """Deny up to `limit` inputs whose time is over: of runs of these agents, or of one of them."""
    marks = placeholders(3, len(agents))
    rows = await database.fetch(
        "SELECT r.id AS run_id, i.id FROM runs r JOIN inputs i ON i.run_id = r.id AND i.given_by IS NULL "
        f"WHERE r.outcome IS NULL AND r.wake_at <= now_epoch() AND r.agent IN ({marks}) "
        "AND r.id = coalesce(CAST($2 AS TEXT), r.id) LIMIT $1",
        limit,
        run_id,
        *agents,
    )
    denied = InputAnswer(approved=False, answer=None, by=EXPIRY)
    for row in rows:
        with suppress(InputNotOpen):  # another host was quicker
            await give(database, cast(str, row["run_id"]), cast(str, row["id"]), denied, request=EXPIRY)


async def answers_of(database: Database, run_id: str) -> Mapping[str, InputAnswer]:
    """The inputs of a run that were given, by their id."""
    rows = await database.fetch(
        "SELECT id, approved, answer, given_by FROM inputs WHERE run_id = $1 AND given_by IS NOT NULL", run_id
    )
    return {
        cast(str, row["id"]): InputAnswer(
            approved=bool(row["approved"]),
            answer=orjson.loads(cast(str, row["answer"])),
            by=cast(str, row["given_by"]),
        )
        for row in rows
    }


async def add_event(database: Database, run_id: str, attempt: int, event: Event) -> None:
    """Write an event at the end of an attempt that nobody writes any more."""
    await database.execute(
        "INSERT INTO events (run_id, attempt, number, first_seq, last_seq, batch, finished) "
        "SELECT CAST($1 AS TEXT), CAST($2 AS BIGINT), coalesce(max(number), 0) + 1, coalesce(max(last_seq), 0) + 1, "
        "coalesce(max(last_seq), 0) + 1, CAST($3 AS TEXT), 0 FROM events WHERE run_id = $1 AND attempt = $2",
        run_id,
        attempt,
        orjson.dumps([event.to_json()]).decode(),
    )


def step_of(input_id: str) -> str:
    """The step that an input is. It is a step of its own, so that nothing voids it."""
    return f"{INPUT_PREFIX}{input_id}"
