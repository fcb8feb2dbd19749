"""What the store has of documents: their texts, or where those are."""

from collections.abc import Sequence
from dataclasses import dataclass

from slipway_runtime.store.database import Database
from slipway_runtime.store.documents import Build, Passage, StoredDocument


@dataclass(frozen=True)
class PassageRead:
    """What a document has at a place."""

    text: str
    """Empty if the text is kept elsewhere."""
    hash: str
    kept: str
    """Where its text is: a `DocumentsConfig` as JSON; empty: here."""


async def find_passages(database: Database, build: Build, passages: Sequence[Passage]) -> list[PassageRead | None]:
    """What is at these places of the stored documents now; None where there is no such document.

    Only the passages travel, not the documents, which may be a megabyte each.
    """
    if not passages:
        return []
    selects: list[str] = []
    values: list[str | int] = [build.index, build.revision]
    for number, passage in enumerate(passages):
        source, name, start, length = (f"${len(values) + offset}" for offset in (1, 2, 3, 4))
        selects.append(
            f"SELECT {number} AS number, substr(text, CAST({start} AS INTEGER), CAST({length} AS INTEGER)) AS quote,"
            f" hash, kept FROM documents"
            f" WHERE index_name = $1 AND revision = $2 AND source = {source} AND name = {name}"
        )
        values.extend([passage.source, passage.document, passage.start + 1, passage.end - passage.start])
    rows = await database.fetch(" UNION ALL ".join(selects), *values)
    found = {
        int(row["number"] or 0): PassageRead(str(row["quote"]), str(row["hash"]), str(row["kept"])) for row in rows
    }
    return [found.get(number) for number in range(len(passages))]


async def read_row(database: Database, build: Build, source: str, name: str) -> StoredDocument | None:
    """A document, with its text if that is kept here; None if the build has no such document."""
    rows = await database.fetch(
        "SELECT title, text, hash, version, metadata, kept FROM documents"
        " WHERE index_name = $1 AND revision = $2 AND source = $3 AND name = $4",
        build.index,
        build.revision,
        source,
        name,
    )
    if not rows:
        return None
    columns = {column: str(rows[0][column]) for column in ("title", "text", "hash", "version", "metadata", "kept")}
    return StoredDocument(source=source, name=name, **columns)


async def kept_elsewhere(database: Database, build: Build, kept: str) -> set[tuple[str, str, str]]:
    """Source, name and hash of the documents of a build whose texts are at this place."""
    rows = await database.fetch(
        "SELECT source, name, hash FROM documents WHERE index_name = $1 AND revision = $2 AND kept = $3",
        build.index,
        build.revision,
        kept,
    )
    return {(str(row["source"]), str(row["name"]), str(row["hash"])) for row in rows}


async def places_of(database: Database, build: Build) -> set[str]:
    """Where texts of a build are, apart from here: `DocumentsConfig`s as JSON."""
    rows = await database.fetch(
        "SELECT DISTINCT kept FROM documents WHERE index_name = $1 AND revision = $2 AND kept <> ''",
        build.index,
        build.revision,
    )
    return {str(row["kept"]) for row in rows}
