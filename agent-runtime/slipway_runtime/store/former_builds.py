"""Builds that agents read before, as their pointer said, so that they can be served again."""

from dataclasses import dataclass

from slipway_runtime.store.database import Database
from slipway_runtime.store.pointers import POINTER_COLUMNS, IndexPointer, pointer_of


@dataclass(frozen=True)
class FormerBuild:
    """A build that agents read before."""

    pointer: IndexPointer
    """As it was."""
    left: float
    """When agents were pointed to another one, in epoch seconds of the store's clock."""
    age: float
    """Seconds since then."""


async def former_builds(database: Database, index: str) -> list[FormerBuild]:
    """The former builds of an index, the one that was served last first.

    Raises:
        StoreUnavailable: if the store is unavailable.
    """
    rows = await database.fetch(
        f"SELECT {POINTER_COLUMNS}, left_at, now_epoch() - left_at AS age FROM former_builds WHERE index_name = $1"
        " ORDER BY left_at DESC, revision",
        index,
    )
    return [FormerBuild(pointer_of(index, row), float(row["left_at"] or 0), float(row["age"] or 0)) for row in rows]


async def forget_former(database: Database, index: str, revision: str) -> None:
    """A build cannot be served again."""
    await database.execute("DELETE FROM former_builds WHERE index_name = $1 AND revision = $2", index, revision)
