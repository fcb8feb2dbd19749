"""Sessions of many turns, written straight into the store."""

from dataclasses import replace

from slipway_runtime.events import Done
from slipway_runtime.store.database import Database
from slipway_runtime.store.runs import append, begin
from tests.support.questions import ASK

BATCH = 1000
"""Rows that are written at once: a busy machine has to manage them in the time that a statement may take."""


async def add_long_session(database: Database, session_id: str, *, turns: int, characters: int = 0) -> None:
    """A session of alice with `demo/support` whose turns are finished: `Question 1?` and so on.

    Args:
        characters: by which each answer is longer than `Answer 1.`.
    """
    first = replace(ASK, run_id=f"{session_id}-1", session_id=session_id, session_ttl=3600.0)
    work = await begin(database, first, owner="h", lease=5.0)
    await append(database, work.lease, 1, [Done(answer="", finish="stop", sources=())])
    results = [
        Done(answer=f"Answer {n}." + "x" * characters, finish="stop", sources=()).model_dump_json()
        for n in range(1, turns + 1)
    ]
    await database.execute(
        "UPDATE runs SET question = 'Question 1?', result = $2 WHERE session_id = $1", session_id, results[0]
    )
    rows = [(session_id, str(n), n, f"Question {n}?", results[n - 1]) for n in range(2, turns + 1)]
    for start in range(0, len(rows), BATCH):
        await database.execute_many(
            "INSERT INTO runs SELECT $1 || '-' || $2, session_id, CAST($3 AS BIGINT), agent, caller, $4, ask, created, "
            "ttl, expires, deadline, revision, attempt, fresh_from, deaths, owner, lease_until, wake_at, followed, "
            "outcome, $5, changed, written, writing_until FROM runs WHERE session_id = $1 AND turn = 1",
            rows[start : start + BATCH],
        )
    await database.execute("UPDATE sessions SET turns = $2 WHERE id = $1", session_id, turns)
