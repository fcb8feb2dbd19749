"""What stands around a chunk in its document."""

from dataclasses import dataclass

from slipway_runtime.knowledge.documents.document_store import DocumentStore
from slipway_runtime.store.documents import Build, Passage, StoredChunk


@dataclass(frozen=True)
class TextAround:
    """A chunk with its neighbours."""

    start: int
    text: str
    """As the document has it."""
    sentences: tuple[str, ...]
    """Of each chunk in it, as it is stored."""


async def surroundings(documents: DocumentStore, build: Build, chunk: StoredChunk, count: int) -> TextAround | None:
    """A chunk with up to `count` chunks before and after it; None if the document is not there any more.

    A chunk under other headings, or on another page, is no neighbour: it is about something else.
    """
    rows = await documents.database.fetch(
        "SELECT start_offset, end_offset, sentences FROM chunks WHERE index_name = $1 AND revision = $2 AND source = $3"
        " AND document = $4 AND ordinal BETWEEN $5 AND $6 AND heading = $7 AND page = $8 ORDER BY ordinal",
        build.index,
        build.revision,
        chunk.source,
        chunk.document,
        chunk.ordinal - count,
        chunk.ordinal + count,
        chunk.heading,
        chunk.page,
    )
    if not rows:
        return None
    start = min(int(row["start_offset"] or 0) for row in rows)
    end = max(int(row["end_offset"] or 0) for row in rows)
    [text] = await documents.read_passages(build, [Passage(chunk.source, chunk.document, start, end)])
    return None if text is None else TextAround(start, text, tuple(str(row["sentences"]) for row in rows))
