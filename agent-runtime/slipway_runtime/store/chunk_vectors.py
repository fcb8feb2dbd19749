"""The vectors of a build as the store has them, a page at a time."""

from dataclasses import dataclass

from slipway_runtime.store.database import Database
from slipway_runtime.store.documents import Build


@dataclass(frozen=True)
class StoredVector:
    """The vectors of one chunk: float32, little-endian."""

    id: str
    own: bytes
    pieces: bytes
    """Those of its sentences, one after the other."""


async def page_of_vectors(database: Database, build: Build, *, after: str, count: int) -> list[StoredVector]:
    """So many chunks of a build, by id, after one of them; chunks without a stored vector are left out."""
    rows = await database.fetch(
        "SELECT id, vector, vectors FROM chunks WHERE index_name = $1 AND revision = $2 AND id > $3"
        " AND vector IS NOT NULL ORDER BY id LIMIT $4",
        build.index,
        build.revision,
        after,
        count,
    )
    return [
        StoredVector(str(row["id"]), row["vector"], row["vectors"])
        for row in rows
        if isinstance(row["vector"], bytes) and isinstance(row["vectors"], bytes)
    ]
