"""Which documents of a build an ingestion has not taken yet, or could not read, and the list of all of them.

A document with a row in `documents` is embedded. One with a row in `unsettled_documents` is pending, or failed with a
reason, also if an earlier version of it is still there.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from slipway_runtime.store.database import Database, Row
from slipway_runtime.store.documents import SETTLED, Build

PAGE = 100
"""Documents that are listed at once, unless said otherwise."""
State = Literal["pending", "embedded", "failed"]


@dataclass(frozen=True)
class DocumentEntry:
    """A document of a build without its text."""

    source: str
    name: str
    title: str
    """Empty before it was embedded."""
    state: State
    reason: str | None
    """Why it cannot be read."""
    metadata: str
    """A JSON object: that of the version that is embedded."""
    readable: bool
    """Whether a version of it is embedded."""


async def begin_documents(
    database: Database,
    build: Build,
    keys: Sequence[tuple[str, str]],
    *,
    sources: Collection[str],
    ours: Callable[[tuple[str, str]], bool] = lambda key: True,
) -> None:
    """Note the documents that an ingestion has to take as pending, by source and name.

    Args:
        sources: those that were listed: what is noted of their other documents is out of date.
        ours: whether a document is one of those that this ingestion takes. What is noted of others stays.
    """
    place = (build.index, build.revision)
    async with database.transaction() as transaction:
        rows = await transaction.fetch(
            "SELECT source, name FROM unsettled_documents WHERE index_name = $1 AND revision = $2", *place
        )
        noted = {(str(row["source"]), str(row["name"])) for row in rows}
        outdated = sorted(key for key in noted - set(keys) if key[0] in sources and ours(key))
        await transaction.execute_many(SETTLED, [(*place, *key) for key in outdated])
        await transaction.execute_many(
            "INSERT INTO unsettled_documents (index_name, revision, source, name, reason) VALUES ($1, $2, $3, $4, '')"
            " ON CONFLICT (index_name, revision, source, name) DO UPDATE SET reason = ''",
            [(*place, *key) for key in sorted(keys)],
        )


async def fail_document(database: Database, build: Build, key: tuple[str, str], reason: str) -> None:
    """Note why a document cannot be read."""
    await database.execute(
        "INSERT INTO unsettled_documents (index_name, revision, source, name, reason) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT (index_name, revision, source, name) DO UPDATE SET reason = excluded.reason",
        build.index,
        build.revision,
        *key,
        reason,
    )


async def settle_document(database: Database, build: Build, key: tuple[str, str]) -> None:
    """Note that nothing is to be done for a document any more."""
    await database.execute(SETTLED, build.index, build.revision, *key)


_ENTRY = (
    "SELECT k.source, k.name, d.title, d.metadata, u.reason FROM"
    " (SELECT source, name FROM documents WHERE index_name = $1 AND revision = $2"
    " UNION SELECT source, name FROM unsettled_documents WHERE index_name = $1 AND revision = $2) k"
    " LEFT JOIN documents d ON d.index_name = $1 AND d.revision = $2 AND d.source = k.source AND d.name = k.name"
    " LEFT JOIN unsettled_documents u ON u.index_name = $1 AND u.revision = $2 AND u.source = k.source"
    " AND u.name = k.name"
)


async def list_documents(
    database: Database, build: Build, *, after: tuple[str, str] = ("", ""), limit: int = PAGE
) -> list[DocumentEntry]:
    """The documents of a build by source and name, from the one after `after` on."""
    rows = await database.fetch(
        f"{_ENTRY} WHERE k.source > $3 OR (k.source = $3 AND k.name > $4) ORDER BY k.source, k.name LIMIT {int(limit)}",
        build.index,
        build.revision,
        *after,
    )
    return [_entry(row) for row in rows]


async def document_entry(database: Database, build: Build, key: tuple[str, str]) -> DocumentEntry | None:
    """One document by source and name; None if the build knows of none."""
    rows = await database.fetch(f"{_ENTRY} WHERE k.source = $3 AND k.name = $4", build.index, build.revision, *key)
    return _entry(rows[0]) if rows else None


async def documents_of_chunks(database: Database, build: Build, ids: Sequence[str]) -> list[tuple[str, str]]:
    """Source and name of the documents that chunks are of, in the order of the chunks, each once."""
    found: dict[str, tuple[str, str]] = {}
    for start in range(0, len(ids), PAGE):
        part = ids[start : start + PAGE]
        marks = ", ".join(f"${number}" for number in range(3, 3 + len(part)))
        rows = await database.fetch(
            f"SELECT id, source, document FROM chunks WHERE index_name = $1 AND revision = $2 AND id IN ({marks})",
            build.index,
            build.revision,
            *part,
        )
        found |= {str(row["id"]): (str(row["source"]), str(row["document"])) for row in rows}
    return list(dict.fromkeys(found[id_] for id_ in ids if id_ in found))


def _entry(row: Row) -> DocumentEntry:
    reason, embedded = row["reason"], row["title"] is not None
    state: State = "embedded" if reason is None else ("failed" if reason else "pending")
    return DocumentEntry(
        source=str(row["source"]),
        name=str(row["name"]),
        title=str(row["title"] or ""),
        state=state,
        reason=str(reason) if reason else None,
        metadata=str(row["metadata"] or "{}"),
        readable=embedded,
    )
