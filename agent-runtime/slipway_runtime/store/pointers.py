"""Which build of an index is the one that agents read.

A row says it; a run reads the row once, an ingestion writes it last. So a build that is under way, or that failed,
is never seen.
"""

from dataclasses import dataclass, field
from functools import cached_property

from slipway_crds.runtimeconfig import EmbeddingConfig, SearchConfig, VectorsConfig
from slipway_runtime.store.database import Database


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
        "SELECT revision, fingerprint, documents, chunks, failed, vectors, config, search, embedding"
        " FROM index_pointers WHERE index_name = $1",
        index,
    )
    if not rows:
        return None
    row = rows[0]
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
    """Make a build the active one, as of now by the store's clock.

    Raises:
        StoreUnavailable: if the store is unavailable; then nothing has changed.
    """
    await database.execute(
        "INSERT INTO index_pointers (index_name, revision, fingerprint, documents, chunks, failed, vectors, config,"
        " search, embedding, synced_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now_epoch())"
        " ON CONFLICT (index_name) DO UPDATE SET revision = excluded.revision, fingerprint = excluded.fingerprint,"
        " documents = excluded.documents, chunks = excluded.chunks, failed = excluded.failed,"
        " vectors = excluded.vectors, config = excluded.config, search = excluded.search,"
        " embedding = excluded.embedding,"
        " synced_at = excluded.synced_at",
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
