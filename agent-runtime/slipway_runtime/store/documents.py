"""Documents and their chunks, by build of an index.

The vectors of chunks are in the vector store, which finds them; what is found is read here: the text, and the vectors
of its sentences, made at ingestion, so that answering embeds nothing but the question.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from slipway_runtime.store.database import Database, Row, Value, placeholders


@dataclass(frozen=True)
class Build:
    """One build of one index."""

    index: str
    """`namespace/name`."""
    revision: str


@dataclass(frozen=True)
class StoredDocument:
    """A document as it is stored in a build."""

    source: str
    name: str
    title: str
    text: str
    hash: str
    version: str
    """What the source calls this content."""
    metadata: str
    """A JSON object; what is in it is the matter of whoever made the document."""
    kept: str = ""
    """Where its text is: a `DocumentsConfig` as JSON; empty: here."""


@dataclass(frozen=True)
class DocumentState:
    """What a build knows of a document without its text."""

    version: str
    hash: str
    chunks: int


@dataclass(frozen=True)
class StoredChunk:
    """A chunk as it is stored in a build. Offsets are characters of the document's text."""

    id: str
    source: str
    document: str
    ordinal: int
    heading: str
    start: int
    end: int
    text: str
    sentences: str
    """JSON; what is in it is the matter of whoever made the chunk."""
    vectors: bytes
    """float32 [sentences, dimensions of the embedder], little-endian."""
    page: int = 0
    """Number of its page or slide; 0 in a document without."""
    attributes: str = "{}"
    """A JSON object: what searches can be narrowed by."""
    vector: bytes = b""
    """Its own vector, likewise. It is written, and read by `stored_vectors` alone."""
    embedded: str = ""
    """A digest of what was embedded for it; likewise."""
    terms: str = ""
    """What `store/lexical.py` finds it by; it is written only."""


@dataclass(frozen=True)
class StoredVectors:
    """The vectors of a chunk as they are stored."""

    own: bytes
    pieces: bytes


@dataclass(frozen=True)
class Passage:
    """A place in a document, and the text that is claimed to be there."""

    source: str
    document: str
    start: int
    end: int


CHUNK_COLUMNS = (
    "id, index_name, revision, source, document, ordinal, heading, start_offset, end_offset, text, sentences, vectors,"
    " page, attributes"
)
_AT_ITS_PLACE = "substr(d.text, CAST(c.start_offset + 1 AS INTEGER), CAST(c.end_offset - c.start_offset AS INTEGER))"
OTHERWISE = f"CASE WHEN {_AT_ITS_PLACE} = c.text THEN NULL ELSE coalesce({_AT_ITS_PLACE}, '') END"
"""SQL: what the document `d` has at the place of the chunk `c`, unless it is the same."""
PEND = (
    "INSERT INTO pending_chunks (index_name, revision, id, writer) VALUES ($1, $2, $3, $4)"
    " ON CONFLICT (id) DO UPDATE SET writer = excluded.writer"
)
PEND_CHUNKS = (
    "INSERT INTO pending_chunks (index_name, revision, id, writer)"
    " SELECT index_name, revision, id, CAST($5 AS TEXT) FROM chunks"
    " WHERE index_name = $1 AND revision = $2 AND source = $3 AND document = $4"
    " ON CONFLICT (id) DO UPDATE SET writer = excluded.writer"
)
INSERT_CHUNK = f"INSERT INTO chunks ({CHUNK_COLUMNS}, vector, embedded, terms) VALUES ({placeholders(1, 17)})"
SETTLED = "DELETE FROM unsettled_documents WHERE index_name = $1 AND revision = $2 AND source = $3 AND name = $4"
DELETE_CHUNKS = "DELETE FROM chunks WHERE index_name = $1 AND revision = $2 AND source = $3 AND document = $4"


async def document_states(
    database: Database, build: Build, *, source: str | None = None
) -> dict[tuple[str, str], DocumentState]:
    """Every document of a build, or those of one source, by source and name."""
    rows = await database.fetch(
        "SELECT d.source, d.name, d.version, d.hash, count(c.id) AS chunks FROM documents d LEFT JOIN chunks c"
        " ON c.index_name = d.index_name AND c.revision = d.revision AND c.source = d.source AND c.document = d.name"
        f" WHERE d.index_name = $1 AND d.revision = $2{'' if source is None else ' AND d.source = $3'}"
        " GROUP BY d.source, d.name, d.version, d.hash",
        build.index,
        build.revision,
        *([] if source is None else [source]),
    )
    return {
        (str(row["source"]), str(row["name"])): DocumentState(
            version=str(row["version"]), hash=str(row["hash"]), chunks=int(row["chunks"] or 0)
        )
        for row in rows
    }


async def chunk_ids(database: Database, build: Build) -> dict[tuple[str, str], set[str]]:
    """The ids of the chunks of each document of a build, by source and name."""
    rows = await database.fetch(
        "SELECT id, source, document FROM chunks WHERE index_name = $1 AND revision = $2", build.index, build.revision
    )
    found: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        found.setdefault((str(row["source"]), str(row["document"])), set()).add(str(row["id"]))
    return found


async def pend(database: Database, build: Build, ids: Sequence[str], *, writer: str = "") -> None:
    """Note chunks whose vectors are about to be written, so that what is left of an interruption is known.

    Args:
        writer: who writes them, where several do to one build at a time.
    """
    rows = [(build.index, build.revision, id_, writer) for id_ in ids]
    await database.execute_many(PEND, rows)


async def pending_ids(database: Database, build: Build, *, writer: str | None = None) -> list[str]:
    """Ids whose vectors may be there and that are no chunks of the build: what an interruption left.

    Args:
        writer: whose; None: everybody's.
    """
    rows = await database.fetch(
        "SELECT p.id FROM pending_chunks p WHERE p.index_name = $1 AND p.revision = $2"
        f"{'' if writer is None else ' AND p.writer = $3'}"
        " AND NOT EXISTS (SELECT 1 FROM chunks c WHERE c.id = p.id) ORDER BY p.id",
        build.index,
        build.revision,
        *([] if writer is None else [writer]),
    )
    return [str(row["id"]) for row in rows]


async def settle(database: Database, build: Build, *, writer: str | None = None) -> None:
    """Forget what was pending: the vectors of everything that is no chunk are gone. See `pending_ids`."""
    await database.execute(
        "DELETE FROM pending_chunks WHERE index_name = $1 AND revision = $2"
        f"{'' if writer is None else ' AND writer = $3'}",
        build.index,
        build.revision,
        *([] if writer is None else [writer]),
    )


def _values(chunk: StoredChunk) -> tuple[Value, ...]:
    """Of a row of `chunks`, what is not its key."""
    place = (chunk.ordinal, chunk.heading, chunk.start, chunk.end, chunk.text, chunk.sentences, chunk.vectors)
    return (*place, chunk.page, chunk.attributes, chunk.vector, chunk.embedded, chunk.terms)


async def replace_document(
    database: Database, build: Build, document: StoredDocument, chunks: Sequence[StoredChunk], *, writer: str = ""
) -> None:
    """Put a document and its chunks in the place of what the build had under its name, all at once.

    The chunks that it had before are pending from then on.
    """
    key = (build.index, build.revision, document.source, document.name)
    rows = [(c.id, *key, *_values(c)) for c in chunks]
    async with database.transaction() as transaction:
        await transaction.execute(
            "INSERT INTO documents (index_name, revision, source, name, title, text, hash, version, metadata, kept)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
            " ON CONFLICT (index_name, revision, source, name)"
            " DO UPDATE SET title = excluded.title, text = excluded.text, hash = excluded.hash,"
            " version = excluded.version, metadata = excluded.metadata, kept = excluded.kept",
            *key,
            document.title,
            "" if document.kept else document.text,
            document.hash,
            document.version,
            document.metadata,
            document.kept,
        )
        await transaction.execute(SETTLED, *key)
        await transaction.execute(PEND_CHUNKS, *key, writer)
        await transaction.execute(DELETE_CHUNKS, *key)
        await transaction.execute_many(INSERT_CHUNK, rows)


async def set_version(database: Database, build: Build, key: tuple[str, str], version: str) -> None:
    """Note that a document's content has another version, though its text is the same."""
    await database.execute(
        "UPDATE documents SET version = $5 WHERE index_name = $1 AND revision = $2 AND source = $3 AND name = $4",
        build.index,
        build.revision,
        *key,
        version,
    )


async def delete_documents(database: Database, build: Build, names: Sequence[tuple[str, str]]) -> None:
    """Remove documents, given by source and name, with their chunks, which are pending from then on."""
    rows = [(build.index, build.revision, source, name) for source, name in names]
    async with database.transaction() as transaction:
        await transaction.execute_many(PEND_CHUNKS, [(*row, "") for row in rows])
        for statement in (
            DELETE_CHUNKS,
            SETTLED,
            "DELETE FROM documents WHERE index_name = $1 AND revision = $2 AND source = $3 AND name = $4",
        ):
            await transaction.execute_many(statement, rows)


async def revisions(database: Database, index: str) -> set[str]:
    """The builds of an index that have documents, or the beginning of one."""
    rows = await database.fetch(
        "SELECT revision FROM documents WHERE index_name = $1"
        " UNION SELECT revision FROM pending_chunks WHERE index_name = $1"
        " UNION SELECT revision FROM unsettled_documents WHERE index_name = $1",
        index,
    )
    return {str(row["revision"]) for row in rows}


async def delete_build(database: Database, build: Build) -> None:
    """Remove everything of a build."""
    async with database.transaction() as transaction:
        for table in ("chunks", "documents", "pending_chunks", "unsettled_documents"):
            await transaction.execute(
                f"DELETE FROM {table} WHERE index_name = $1 AND revision = $2", build.index, build.revision
            )


async def counts(database: Database, build: Build) -> tuple[int, int]:
    """How many documents and chunks a build has."""
    rows = await database.fetch(
        "SELECT (SELECT count(*) FROM documents WHERE index_name = $1 AND revision = $2) AS documents,"
        " (SELECT count(*) FROM chunks WHERE index_name = $1 AND revision = $2) AS chunks",
        build.index,
        build.revision,
    )
    return int(rows[0]["documents"] or 0), int(rows[0]["chunks"] or 0)


async def read_chunks(database: Database, build: Build, ids: Sequence[str]) -> list[tuple[StoredChunk, str | None]]:
    """The chunks with these ids, in the order of the ids; ids that the build does not have are left out.

    Each comes with what the stored document has at its place; None if that is the same, as it should be.
    """
    if not ids:
        return []
    rows = await database.fetch(
        f"SELECT {', '.join(f'c.{name}' for name in CHUNK_COLUMNS.split(', '))}, {OTHERWISE} AS otherwise"
        " FROM chunks c LEFT JOIN documents d ON d.index_name = c.index_name AND d.revision = c.revision"
        " AND d.source = c.source AND d.name = c.document"
        f" WHERE c.index_name = $1 AND c.revision = $2 AND c.id IN ({placeholders(3, len(ids))})",
        build.index,
        build.revision,
        *ids,
    )
    found = {str(row["id"]): row for row in rows}
    return [
        (stored_chunk(row), None if row["otherwise"] is None else str(row["otherwise"]))
        for row in (found[id_] for id_ in ids if id_ in found)
    ]


@dataclass(frozen=True)
class Presence:
    """What is so of an index now."""

    revision: str | None
    """Of the build that agents read; None if there is none."""
    search: str = "{}"
    """How it is searched, as its pointer has it."""
    ids: frozenset[str] = frozenset()
    """Those of the chunks that were asked for which the build has."""


async def present_chunks(database: Database, index: str, ids: Sequence[str]) -> Presence:
    """The build of an index that agents read now, and which of these chunks it has."""
    rows = await database.fetch(
        "SELECT p.revision, p.search, c.id FROM index_pointers p LEFT JOIN chunks c ON c.index_name = p.index_name"
        f" AND c.revision = p.revision AND c.id IN ({placeholders(2, len(ids)) or 'NULL'}) WHERE p.index_name = $1",
        index,
        *ids,
    )
    if not rows:
        return Presence(None)
    present = frozenset(str(row["id"]) for row in rows if row["id"] is not None)
    return Presence(str(rows[0]["revision"]), str(rows[0]["search"]), present)


def stored_chunk(row: Row) -> StoredChunk:
    """A chunk from its row."""
    vectors = row["vectors"]
    assert isinstance(vectors, bytes)
    return StoredChunk(
        id=str(row["id"]),
        source=str(row["source"]),
        document=str(row["document"]),
        ordinal=int(row["ordinal"] or 0),
        heading=str(row["heading"]),
        start=int(row["start_offset"] or 0),
        end=int(row["end_offset"] or 0),
        text=str(row["text"]),
        sentences=str(row["sentences"]),
        vectors=vectors,
        page=int(row["page"] or 0),
        attributes=str(row["attributes"]),
    )


async def stored_vectors(database: Database, build: Build, key: tuple[str, str]) -> dict[str, StoredVectors]:
    """The vectors of a document's chunks, by the digest of what was embedded for each."""
    rows = await database.fetch(
        "SELECT embedded, vector, vectors FROM chunks WHERE index_name = $1 AND revision = $2 AND source = $3"
        " AND document = $4 AND embedded <> ''",
        build.index,
        build.revision,
        *key,
    )
    return {
        str(row["embedded"]): StoredVectors(row["vector"], row["vectors"])
        for row in rows
        if isinstance(row["vector"], bytes) and isinstance(row["vectors"], bytes)
    }


async def read_metadata(database: Database, build: Build, key: tuple[str, str]) -> str | None:
    """What is stored of a document's metadata, as JSON; None if the build has no such document."""
    rows = await database.fetch(
        "SELECT metadata FROM documents WHERE index_name = $1 AND revision = $2 AND source = $3 AND name = $4",
        build.index,
        build.revision,
        *key,
    )
    return str(rows[0]["metadata"]) if rows else None


async def metadata_of_chunks(database: Database, build: Build, ids: Sequence[str]) -> dict[str, str]:
    """What is stored of the metadata of the documents that chunks are from, as JSON, by the chunk's id."""
    if not ids:
        return {}
    rows = await database.fetch(
        "SELECT c.id, d.metadata FROM chunks c JOIN documents d ON d.index_name = c.index_name"
        " AND d.revision = c.revision AND d.source = c.source AND d.name = c.document"
        f" WHERE c.index_name = $1 AND c.revision = $2 AND c.id IN ({placeholders(3, len(ids))})",
        build.index,
        build.revision,
        *ids,
    )
    return {str(row["id"]): str(row["metadata"]) for row in rows}
