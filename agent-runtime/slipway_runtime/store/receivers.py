"""Whom to tell when a run changes, and up to which change they were told.

`runs.changed` is written in the transaction of the event that it is about, so it is the outbox: a receiver that was
heard of less is due. Whoever sends claims the row first, so that several do not send the same at once; if it
dies, the claim runs out and another one sends. So each change is reported at least once, unless a later one came first.
"""

from dataclasses import dataclass
from typing import Any, cast

import orjson

from slipway_runtime.store.database import Database
from slipway_runtime.store.records import RunRecord, read_record

MOST = 10
"""Receivers of one run."""
CLAIM_SECONDS = 30.0
"""Longer than it takes to send."""
CLAIMED_AT_ONCE = 16
GIVE_UP_SECONDS = 15 * 60.0
"""How long after a change it is tried to tell of it."""


@dataclass(frozen=True)
class Due:
    """A receiver that is to get news of a run."""

    id: str
    config: Any
    changed: float
    failures: int
    record: RunRecord

    def to_json(self) -> dict[str, Any]:
        """As hosts send it."""
        return {
            "id": self.id,
            "config": self.config,
            "changed": self.changed,
            "failures": self.failures,
            "record": self.record.to_json(),
        }


async def put(database: Database, run_id: str, name: str, config: Any, *, agent: str, caller: str) -> bool:
    """Add or replace a receiver. False if the run is not the caller's, or has as many as it may have."""
    rows = await database.fetch(
        "INSERT INTO receivers (run_id, id, config, told, claimed_until, failures) "
        "SELECT r.id, CAST($2 AS TEXT), CAST($3 AS TEXT), 0, 0, 0 FROM runs r "
        "WHERE r.id = $1 AND r.agent = $4 AND r.caller = $5 "
        f"AND (SELECT count(*) FROM receivers p WHERE p.run_id = r.id AND p.id <> $2) < {MOST} "
        "ON CONFLICT (run_id, id) DO UPDATE SET config = excluded.config RETURNING run_id",
        run_id,
        name,
        orjson.dumps(config).decode(),
        agent,
        caller,
    )
    return bool(rows)


async def list_all(database: Database, run_id: str, *, agent: str, caller: str) -> list[Any]:
    """The configurations of a run's receivers, sorted by id; none if the run is not the caller's."""
    rows = await database.fetch(
        "SELECT p.config FROM receivers p JOIN runs r ON r.id = p.run_id "
        "WHERE r.id = $1 AND r.agent = $2 AND r.caller = $3 ORDER BY p.id",
        run_id,
        agent,
        caller,
    )
    return [orjson.loads(cast(str, row["config"])) for row in rows]


async def remove(database: Database, run_id: str, name: str, *, agent: str, caller: str) -> None:
    """Tell a receiver nothing more, if there is such a one."""
    await database.fetch(
        "DELETE FROM receivers WHERE run_id = $1 AND id = $2 "
        "AND run_id IN (SELECT id FROM runs WHERE agent = $3 AND caller = $4) RETURNING id",
        run_id,
        name,
        agent,
        caller,
    )


async def claim(database: Database, *, agent: str) -> list[Due]:
    """Receivers that are due, each for one sender for a while."""
    rows = await database.fetch(
        f"UPDATE receivers SET claimed_until = now_epoch() + {CLAIM_SECONDS}, failures = failures + 1 "
        "WHERE (run_id, id) IN (SELECT p.run_id, p.id FROM receivers p JOIN runs r ON r.id = p.run_id "
        "WHERE r.agent = $1 AND r.changed > p.told AND p.claimed_until < now_epoch() "
        f"ORDER BY r.changed LIMIT {CLAIMED_AT_ONCE}) AND claimed_until < now_epoch() "
        "RETURNING run_id, id, config, failures",
        agent,
    )
    due = []
    for row in rows:
        run_id = cast(str, row["run_id"])
        (run,) = await database.fetch("SELECT caller FROM runs WHERE id = $1", run_id) or [{}]
        record = await read_record(database, run_id, agent=agent, caller=cast(str, run.get("caller", "")))
        if record is not None:
            config = orjson.loads(cast(str, row["config"]))
            failures = cast(int, row["failures"]) - 1
            due.append(Due(cast(str, row["id"]), config, record.changed, failures, record))
    return due


async def settle(
    database: Database, run_id: str, name: str, *, agent: str, changed: float, again_in: float | None
) -> bool:
    """End a claim. False if it is given up.

    Args:
        changed: the change that was sent.
        again_in: seconds until it may be sent again; None where it has arrived.
    """
    given_up = await database.fetch(
        f"SELECT 1 AS one FROM runs WHERE id = $1 AND now_epoch() - $2 > {GIVE_UP_SECONDS}", run_id, changed
    )
    if again_in is None or given_up:
        await database.fetch(
            "UPDATE receivers SET told = $3, claimed_until = 0, failures = 0 WHERE run_id = $1 AND id = $2 "
            "AND run_id IN (SELECT id FROM runs WHERE agent = $4) RETURNING id",
            run_id,
            name,
            changed,
            agent,
        )
        return again_in is None
    await database.fetch(
        "UPDATE receivers SET claimed_until = now_epoch() + $3 WHERE run_id = $1 AND id = $2 "
        "AND run_id IN (SELECT id FROM runs WHERE agent = $4) RETURNING id",
        run_id,
        name,
        again_in,
        agent,
    )
    return True
