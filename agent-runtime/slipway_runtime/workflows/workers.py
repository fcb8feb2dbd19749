"""Workers by their heartbeats, so that the living learn who is dead. The clock is the store's."""

from typing import cast

from slipway_runtime.store.database import Database

DEAD_SECONDS = 3.0
FORGOTTEN_SECONDS = 600.0


async def beat(database: Database, worker: str, version: str) -> None:
    """Say that a worker lives."""
    await database.execute(
        "INSERT INTO workflow_workers (id, version, beat) VALUES ($1, $2, now_epoch()) "
        "ON CONFLICT (id) DO UPDATE SET beat = excluded.beat",
        worker,
        version,
    )


async def leave(database: Database, worker: str) -> None:
    """Say that a worker ends, so that nobody waits for it."""
    await database.execute("UPDATE workflow_workers SET beat = now_epoch() - 60 WHERE id = $1", worker)


async def dead(database: Database, *, but: str, seconds: float = DEAD_SECONDS) -> list[str]:
    """Workers that have been silent for so long."""
    rows = await database.fetch(
        "SELECT id FROM workflow_workers WHERE beat < now_epoch() - $1 AND id <> $2", seconds, but
    )
    return [cast(str, row["id"]) for row in rows]


async def forget(database: Database) -> None:
    """Drop workers that have been dead for so long that nothing of theirs is left."""
    await database.execute(f"DELETE FROM workflow_workers WHERE beat < now_epoch() - {FORGOTTEN_SECONDS}")
