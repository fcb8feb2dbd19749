"""Documents that people uploaded. What is kept is what they sent, so that every build of the index can be made of it.

Whether one is embedded is not kept: it is, if the build that agents read has it in this version.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from slipway_crds.contract import UPLOADS
from slipway_runtime.store.database import Database, Row, placeholders

UPLOADS_MAX = 10_000
"""Of one index."""
PAGE = 1_000
"""Uploads that are listed at once."""
UploadState = Literal["pending", "embedded", "failed"]
_BUILT = (
    " LEFT JOIN index_pointers p ON p.index_name = u.index_name"
    " LEFT JOIN documents d ON d.index_name = u.index_name AND d.revision = p.revision"
    f" AND d.source = '{UPLOADS}' AND d.name = u.name"
)
"""SQL: what the build that agents read has of the upload `u`."""
_IS_BUILT = "(d.version IS NOT NULL AND substr(d.version, 1, length(u.version)) = u.version)"
_COLUMNS = f"u.id, u.name, u.content_type, u.metadata, u.version, u.size, u.reason, u.created, {_IS_BUILT} AS built"


@dataclass(frozen=True)
class NewUpload:
    """A document that somebody uploads."""

    id: str
    name: str
    content_type: str
    metadata: str
    """A JSON object."""
    version: str
    """A digest of all that is known of it."""
    content: bytes
    uploaded_by: str


@dataclass(frozen=True)
class Upload:
    """A document that was uploaded, without its content."""

    id: str
    name: str
    content_type: str
    metadata: str
    version: str
    size: int
    reason: str | None
    """Why it cannot be read."""
    created: float
    built: bool

    @property
    def state(self) -> UploadState:
        """What became of it. A failed version hides that an earlier one is still there."""
        if self.reason is not None:
            return "failed"
        return "embedded" if self.built else "pending"


async def put_upload(database: Database, index: str, upload: NewUpload) -> str | None:
    """Keep a document, in the place of one of the same name. Returns its id, None if the index has too many."""
    others = await database.fetch(
        "SELECT count(*) AS number FROM uploads WHERE index_name = $1 AND name <> $2", index, upload.name
    )
    if int(others[0]["number"] or 0) >= UPLOADS_MAX:
        return None
    rows = await database.fetch(
        "INSERT INTO uploads"
        " (index_name, id, name, content_type, metadata, version, content, size, uploaded_by, created)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, now_epoch())"
        " ON CONFLICT (index_name, name) DO UPDATE SET content_type = excluded.content_type,"
        " metadata = excluded.metadata, version = excluded.version, content = excluded.content, size = excluded.size,"
        " uploaded_by = excluded.uploaded_by, created = excluded.created, reason = NULL RETURNING id",
        index,
        upload.id,
        upload.name,
        upload.content_type,
        upload.metadata,
        upload.version,
        upload.content,
        len(upload.content),
        upload.uploaded_by,
    )
    return str(rows[0]["id"])


async def list_uploads(database: Database, index: str, *, after: str = "", limit: int = PAGE) -> list[Upload]:
    """The documents of an index by name, from the one after `after` on."""
    rows = await database.fetch(
        f"SELECT {_COLUMNS} FROM uploads u{_BUILT} WHERE u.index_name = $1 AND u.name > $2"
        f" ORDER BY u.name LIMIT {limit}",
        index,
        after,
    )
    return [_upload(row) for row in rows]


async def read_upload(database: Database, index: str, id_: str) -> Upload | None:
    """One document; None if there is none with this id."""
    rows = await database.fetch(
        f"SELECT {_COLUMNS} FROM uploads u{_BUILT} WHERE u.index_name = $1 AND u.id = $2", index, id_
    )
    return _upload(rows[0]) if rows else None


async def upload_content(database: Database, index: str, name: str, version: str) -> bytes | None:
    """What was sent; None if that version is not there any more."""
    rows = await database.fetch(
        "SELECT content FROM uploads WHERE index_name = $1 AND name = $2 AND version = $3", index, name, version
    )
    content = rows[0]["content"] if rows else None
    return content if isinstance(content, bytes) else None


async def delete_upload(database: Database, index: str, id_: str) -> bool:
    """Remove a document. Whether it was there. It leaves the build a moment later."""
    return await database.execute("DELETE FROM uploads WHERE index_name = $1 AND id = $2", index, id_) > 0


async def fail_upload(database: Database, index: str, name: str, version: str, reason: str) -> None:
    """Note why a version cannot be read."""
    await database.execute(
        "UPDATE uploads SET reason = $4 WHERE index_name = $1 AND name = $2 AND version = $3",
        index,
        name,
        version,
        reason,
    )


async def indexes_behind(database: Database, indexes: Sequence[str]) -> list[tuple[str, str, str]]:
    """Of these indexes, those whose build lacks an upload or has one that was removed: their names, the revision and
    the configuration of the build."""
    if not indexes:
        return []
    rows = await database.fetch(
        "SELECT p.index_name, p.revision, p.config FROM index_pointers p"
        f" WHERE p.config <> '' AND p.index_name IN ({placeholders(1, len(indexes))}) AND (EXISTS (SELECT 1"
        " FROM uploads u LEFT JOIN documents d ON d.index_name = u.index_name AND d.revision = p.revision"
        f" AND d.source = '{UPLOADS}' AND d.name = u.name"
        f" WHERE u.index_name = p.index_name AND u.reason IS NULL AND NOT {_IS_BUILT})"
        f" OR EXISTS (SELECT 1 FROM documents d WHERE d.index_name = p.index_name AND d.revision = p.revision"
        f" AND d.source = '{UPLOADS}' AND NOT EXISTS"
        " (SELECT 1 FROM uploads u WHERE u.index_name = d.index_name AND u.name = d.name)))",
        *indexes,
    )
    return [(str(row["index_name"]), str(row["revision"]), str(row["config"])) for row in rows]


def _upload(row: Row) -> Upload:
    return Upload(
        id=str(row["id"]),
        name=str(row["name"]),
        content_type=str(row["content_type"]),
        metadata=str(row["metadata"]),
        version=str(row["version"]),
        size=int(row["size"] or 0),
        reason=None if row["reason"] is None else str(row["reason"]),
        created=float(row["created"] or 0),
        built=bool(row["built"]),
    )
