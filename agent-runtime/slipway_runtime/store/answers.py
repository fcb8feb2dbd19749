"""Answers that a topic is to get: rows of `runs` that are done and not written yet, claimed by one host at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson

from slipway_runtime.store.database import Database, Row


@dataclass(frozen=True)
class UnwrittenAnswer:
    """An answer as the store has it. Times are in seconds since 1970."""

    run_id: str
    agent: str
    caller: str
    session_id: str | None
    question: str
    revision: str
    created: float
    ended: float
    result: Mapping[str, Any]
    """The event that ended the run."""


async def claim_answers(database: Database, agent: str, *, seconds: float, limit: int) -> list[UnwrittenAnswer]:
    """The oldest answers of an agent (`namespace/name`) that are not written. Nobody else gets them for `seconds`."""
    rows = await database.fetch(
        "UPDATE runs SET writing_until = now_epoch() + $2 WHERE id IN (SELECT id FROM runs WHERE agent = $1 "
        "AND outcome = 'done' AND written = 0 AND writing_until < now_epoch() ORDER BY changed LIMIT $3) "
        "AND writing_until < now_epoch() "
        "RETURNING id, agent, caller, session_id, question, revision, created, changed, result",
        agent,
        seconds,
        limit,
    )
    return sorted(map(_answer, rows), key=lambda each: each.ended)


async def release_answers(database: Database, answers: Sequence[UnwrittenAnswer]) -> None:
    """Let others have what could not be written."""
    await database.execute_many("UPDATE runs SET writing_until = 0 WHERE id = $1", [(each.run_id,) for each in answers])


async def mark_written(database: Database, answers: Sequence[UnwrittenAnswer]) -> None:
    """Remember that these are written."""
    await database.execute_many("UPDATE runs SET written = 1 WHERE id = $1", [(each.run_id,) for each in answers])


def _answer(row: Row) -> UnwrittenAnswer:
    return UnwrittenAnswer(
        run_id=cast(str, row["id"]),
        agent=cast(str, row["agent"]),
        caller=cast(str, row["caller"]),
        session_id=cast(str | None, row["session_id"]),
        question=cast(str, row["question"]),
        revision=cast(str, row["revision"]),
        created=cast(float, row["created"]),
        ended=cast(float, row["changed"]),
        result=orjson.loads(cast(str, row["result"])),
    )
