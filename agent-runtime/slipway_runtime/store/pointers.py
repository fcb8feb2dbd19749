"""Which build of an index is the one that agents read.

A row says it; a run reads the row once, an ingestion writes it last. So a build that is under way, or that failed,
is never seen.
"""

from dataclasses import dataclass, field
from functools import cached_property

from slipway_crds.runtimeconfig import EmbeddingConfig, SearchConfig, VectorsConfig
from slipway_runtime.store.database import Database, Row

POINTER_COLUMNS = "revision, fingerprint, documents, chunks, failed, vectors, config, search, embedding"
_EXCLUDED = ", ".join(f"{name} = excluded.{name}" for name in POINTER_COLUMNS.split(", "))


@dataclass(frozen=True)
class IndexPointer:
    """The active build of an index, and what it holds."""

    index: str
    """`namespace/name`."""
    revision: str
    fingerprint: str
    documents: int
    chunks: int
    failed: int
    vectors: VectorsConfig = field(default_factory=VectorsConfig)
    """Where the vectors of the build are."""
    config: str = ""
    """What the build was made by: an `IngestConfig` as JSON; empty if a version before made it."""
    search: SearchConfig = field(default_factory=SearchConfig)
    """How the build is searched."""
    embedding: EmbeddingConfig = field(default_factory=EmbeddingConfig)
    """What made its vectors, and makes those of questions."""

    @cached_property
    def search_text(self) -> str:
        """`search` as the row has it: each question compares them."""
        return self.search.canonical().decode()


async def read_pointer(database: Database, index: str) -> IndexPointer | None:
    """The pointer of an index, or None before its first ingestion.

    Raises:
        StoreUnavailable: if the store is unavailable.
    """
    rows = await database.fetch(
        f"SELECT {POINTER_COLUMNS} FROM index_pointers WHERE index_name = $1",
        index,
    )
    return pointer_of(index, rows[0]) if rows else None


def pointer_of(index: str, row: Row) -> IndexPointer:
    """A pointer from a row with `POINTER_COLUMNS`."""
    return IndexPointer(
        index=index,
        revision=str(row["revision"]),
        fingerprint=str(row["fingerprint"]),
        documents=int(row["documents"] or 0),
        chunks=int(row["chunks"] or 0),
        failed=int(row["failed"] or 0),
        vectors=VectorsConfig.model_validate_json(str(row["vectors"])),
        config=str(row["config"]),
        search=SearchConfig.model_validate_json(str(row["search"])),
        embedding=EmbeddingConfig.model_validate_json(str(row["embedding"])),
    )


async def write_pointer(database: Database, pointer: IndexPointer) -> None:
    """Make a build the active one, as of now by the store's clock. The one before becomes a former build.

    Raises:
        StoreUnavailable: if the store is unavailable; then nothing has changed.
    """
    async with database.transaction() as transaction:
        await transaction.execute(
            f"INSERT INTO former_builds (index_name, {POINTER_COLUMNS}, left_at)"
            f" SELECT index_name, {POINTER_COLUMNS}, now_epoch() FROM index_pointers"
            " WHERE index_name = $1 AND revision <> $2"
            " ON CONFLICT (index_name, revision) DO UPDATE SET"
            f" {_EXCLUDED}, left_at = excluded.left_at",
            pointer.index,
            pointer.revision,
        )
        await transaction.execute(
            "DELETE FROM former_builds WHERE index_name = $1 AND revision = $2", pointer.index, pointer.revision
        )
        await transaction.execute(
            f"INSERT INTO index_pointers (index_name, {POINTER_COLUMNS}, synced_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now_epoch())"
            " ON CONFLICT (index_name) DO UPDATE SET"
            f" {_EXCLUDED}, synced_at = excluded.synced_at",
            pointer.index,
            pointer.revision,
            pointer.fingerprint,
            pointer.documents,
            pointer.chunks,
            pointer.failed,
            pointer.vectors.canonical().decode(),
            pointer.config,
            pointer.search_text,
            pointer.embedding.canonical().decode(),
        )


async def recount(database: Database, index: str, revision: str, *, documents: int, chunks: int) -> None:
    """Note how much a build holds by now, if it is still the active one."""
    await database.execute(
        "UPDATE index_pointers SET documents = $3, chunks = $4 WHERE index_name = $1 AND revision = $2",
        index,
        revision,
        documents,
        chunks,
    )
