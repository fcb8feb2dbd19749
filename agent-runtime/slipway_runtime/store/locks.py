"""Who writes to an index now, where several processes may: a lock with a lease, since processes die."""

from slipway_runtime.store.database import Database, StoreUnavailable


async def take_lock(database: Database, index: str, purpose: str, *, owner: str, seconds: float) -> bool:
    """Take a lock that is free, ran out or is the owner's already. Whether it is the owner's now, for so long."""
    rows = await database.fetch(
        "INSERT INTO index_locks (index_name, purpose, owner, until) VALUES ($1, $2, $3, now_epoch() + $4)"
        " ON CONFLICT (index_name, purpose) DO UPDATE SET owner = excluded.owner, until = excluded.until"
        " WHERE index_locks.until < now_epoch() OR index_locks.owner = excluded.owner RETURNING owner",
        index,
        purpose,
        owner,
        seconds,
    )
    return bool(rows)


async def hold_lock(database: Database, index: str, purpose: str, *, owner: str, seconds: float) -> None:
    """Take a lock.

    Raises:
        StoreUnavailable: if another owner has it: asking again later may succeed.
    """
    if not await take_lock(database, index, purpose, owner=owner, seconds=seconds):
        raise StoreUnavailable(f"another process is {purpose} to the index {index}")


async def give_lock(database: Database, index: str, purpose: str, *, owner: str) -> None:
    """Give a lock back, if it is the owner's."""
    await database.execute(
        "DELETE FROM index_locks WHERE index_name = $1 AND purpose = $2 AND owner = $3", index, purpose, owner
    )
