"""Texts of documents in one table of a Postgres that is not the store's."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import asyncpg

from slipway_crds.indexes.connections import PostgresConnection
from slipway_runtime.store.database import Database, placeholders
from slipway_runtime.store.documents import Build
from slipway_runtime.store.lazy_postgres import LazyPostgres
from slipway_runtime.store.postgres import JUST_MADE
from slipway_runtime.store.texts import TextKey, TextSpan, TextsRefused

TABLE = "slipway_document_texts"
CONNECTIONS = 2
"""Of a process."""
MAKE = f"""CREATE TABLE IF NOT EXISTS {TABLE} (
    installation TEXT NOT NULL, index_name TEXT NOT NULL, revision TEXT NOT NULL, source TEXT NOT NULL,
    name TEXT NOT NULL, hash TEXT NOT NULL, text TEXT NOT NULL,
    PRIMARY KEY (installation, index_name, revision, source, name, hash))"""
_BUILD = "installation = $1 AND index_name = $2 AND revision = $3"
_TEXT = f"{_BUILD} AND source = $4 AND name = $5 AND hash = $6"


class SqlTexts:
    """See `TextStore`.

    Args:
        installation: whose texts these are; others may have theirs in the same table.
        database: is closed with it.
    """

    def __init__(self, database: Database, *, installation: str) -> None:
        self._given = database
        self._installation = installation
        self._made = False

    async def put_text(self, build: Build, key: TextKey, text: str) -> None:
        """See `TextStore`."""
        async with self._database() as database:
            await database.execute(
                f"INSERT INTO {TABLE} (installation, index_name, revision, source, name, hash, text)"
                f" VALUES ({placeholders(1, 7)}) ON CONFLICT DO NOTHING",
                *self._place(build, key),
                text,
            )

    async def get_text(self, build: Build, key: TextKey) -> str | None:
        """See `TextStore`."""
        async with self._database() as database:
            rows = await database.fetch(f"SELECT text FROM {TABLE} WHERE {_TEXT}", *self._place(build, key))
            return str(rows[0]["text"]) if rows else None

    async def spans(self, build: Build, spans: Sequence[TextSpan]) -> list[str | None]:
        """See `TextStore`."""
        async with self._database() as database:
            found: list[str | None] = []
            for span in spans:
                rows = await database.fetch(
                    f"SELECT substr(text, CAST($7 AS INTEGER), CAST($8 AS INTEGER)) AS part FROM {TABLE} WHERE {_TEXT}",
                    *self._place(build, span.key),
                    span.start + 1,
                    span.end - span.start,
                )
                found.append(str(rows[0]["part"]) if rows else None)
            return found

    async def text_keys(self, build: Build) -> set[TextKey]:
        """See `TextStore`."""
        async with self._database() as database:
            rows = await database.fetch(
                f"SELECT source, name, hash FROM {TABLE} WHERE {_BUILD}",
                self._installation,
                build.index,
                build.revision,
            )
            return {TextKey(str(row["source"]), str(row["name"]), str(row["hash"])) for row in rows}

    async def delete_texts(self, build: Build, keys: Sequence[TextKey]) -> None:
        """See `TextStore`."""
        async with self._database() as database:
            await database.execute_many(f"DELETE FROM {TABLE} WHERE {_TEXT}", [self._place(build, key) for key in keys])

    async def drop_texts(self, index: str, revision: str = "") -> None:
        """See `TextStore`."""
        statement = f"DELETE FROM {TABLE} WHERE installation = $1 AND index_name = $2"
        async with self._database() as database:
            if revision:
                await database.execute(f"{statement} AND revision = $3", self._installation, index, revision)
            else:
                await database.execute(statement, self._installation, index)

    async def close(self) -> None:
        """See `TextStore`."""
        await self._given.close()

    @asynccontextmanager
    async def _database(self) -> AsyncIterator[Database]:
        try:
            if not self._made:
                with suppress(*JUST_MADE):
                    await self._given.execute(MAKE)
                self._made = True
            yield self._given
        except asyncpg.PostgresError as error:
            raise TextsRefused(
                f"the Postgres of spec.documents.store refuses ({type(error).__name__}: {error}): let its role make the"
                f" table {TABLE} in the first schema of its search path, read and write it"
            ) from error

    def _place(self, build: Build, key: TextKey) -> tuple[str, ...]:
        return (self._installation, build.index, build.revision, key.source, key.name, key.hash)


def connected(connection: PostgresConnection, installation: str) -> SqlTexts:
    """The texts in a Postgres, reached when it is first used."""
    return SqlTexts(LazyPostgres(connection.dsn, connections=CONNECTIONS), installation=installation)
