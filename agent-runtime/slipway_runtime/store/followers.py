"""Who follows a run, where that counts: a run whose client would cancel it by leaving is not worked on for nobody.

A host knows who follows the runs that it works on itself. A host at which somebody follows another one's run writes
that down now and then.
"""

from slipway_runtime.store.database import Database


async def note_follower(database: Database, run_id: str) -> None:
    """Write down that somebody follows a run now."""
    await database.execute("UPDATE runs SET followed = now_epoch() WHERE id = $1", run_id)


async def is_left(database: Database, run_id: str, *, seconds: float) -> bool:
    """Whether nobody followed a run elsewhere for so long, and nobody but its client had a part in it.

    Whoever approved something wants to see what comes of it, although the client has left.
    """
    rows = await database.fetch(
        "SELECT 1 AS left_alone FROM runs WHERE id = $1 AND outcome IS NULL AND wake_at IS NULL "
        "AND coalesce(followed, 0) < now_epoch() - $2 "
        "AND NOT EXISTS (SELECT 1 FROM inputs WHERE run_id = $1 AND kind <> 'client_tools')",
        run_id,
        seconds,
    )
    return bool(rows)
