"""Snowflake Cortex Search as a vector store that embeds texts itself. Contract-tested, not verified live.

A collection of chunks is a table with a search service over it, which follows the table some time later
(`targetLag`). Attributes are in one column of terms, so filters have no order. Both clients block, so every call runs
in a thread; statements share one connection, one at a time.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson

from slipway_crds.contract import key_fingerprint
from slipway_crds.indexes.connections import SnowflakeConnection
from slipway_runtime import retrying
from slipway_runtime.knowledge.embedding.embedder import Matrix, Vector
from slipway_runtime.knowledge.vectors.contract import (
    Capabilities,
    CollectionMissing,
    Match,
    VectorsRefused,
    VectorsUnavailable,
)
from slipway_runtime.knowledge.vectors.external import CollectionTaken
from slipway_runtime.knowledge.vectors.filters import Attributes, Filter, Operator, Order, UnsupportedFilter, check
from slipway_runtime.knowledge.vectors.snowflake_client import SnowflakeSession
from slipway_runtime.knowledge.vectors.terms import Clause, terms, translate

BATCH = 100
"""Rows of one statement: a chunk's text is about a kilobyte, a statement at most one megabyte."""
PAGE = 1000
MOST_RESULTS = 1000
PATIENCE = 60.0
OPERATORS: frozenset[Operator] = frozenset(("eq", "ne", "in", "not_in", "contains_any", "exists", "and", "or", "not"))
OWNERS = "SLIPWAY_COLLECTIONS"
EMBEDS = "Snowflake embeds texts itself and takes no vectors: use upsert_texts and search_text"

Value = str | int | None


class SnowflakeVectors:
    """See `VectorStore`, `PassageSearch`, `Ownable` and `Settling`. It connects at the first call."""

    def __init__(self, connection: SnowflakeConnection) -> None:
        self._connection = connection
        self._session = SnowflakeSession(connection)
        self._place = f"{connection.database}.{connection.schema_}"
        self._made: set[str] = set()

    @property
    def capabilities(self) -> Capabilities:
        """See `VectorStore`."""
        return Capabilities(filters=OPERATORS, read_after_write=False, server_side_embedding=True)

    async def claim(self, collection: str, owner: str) -> None:
        """See `Ownable`."""
        owners, name = f"{self._place}.{OWNERS}", table_name(collection)
        await self._run(f"CREATE TABLE IF NOT EXISTS {owners} (NAME VARCHAR NOT NULL, OWNER VARCHAR NOT NULL)")
        await self._run(
            f"MERGE INTO {owners} AS t USING (SELECT %s AS NAME, %s AS OWNER) AS s ON t.NAME = s.NAME"
            " WHEN NOT MATCHED THEN INSERT (NAME, OWNER) VALUES (s.NAME, s.OWNER)",
            name,
            owner,
        )
        rows = await self._run(f"SELECT OWNER FROM {owners} WHERE NAME = %s ORDER BY OWNER", name)
        others = [str(row[0]) for row in rows if row[0] != owner]
        if others:
            raise CollectionTaken(collection, owner=others[0], asker=owner)

    async def upsert(
        self, collection: str, ids: Sequence[str], vectors: Matrix, attributes: Sequence[Attributes] | None = None
    ) -> None:
        """See `VectorStore`; refused, since it embeds texts itself."""
        raise VectorsRefused(EMBEDS)

    async def upsert_texts(
        self, collection: str, ids: Sequence[str], texts: Sequence[str], attributes: Sequence[Attributes] | None = None
    ) -> None:
        """See `PassageSearch`."""
        await self._make(collection)
        described = attributes if attributes is not None else [{}] * len(ids)
        rows = [
            (id_, text.replace("\0", ""), orjson.dumps(terms(own)).decode())
            for id_, text, own in zip(ids, texts, described, strict=True)
        ]
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            await self._run(
                f"MERGE INTO {self._table(collection)} AS t USING (SELECT column1 AS ID, column2 AS TEXT,"
                f" PARSE_JSON(column3) AS TERMS FROM VALUES {', '.join(['(%s, %s, %s)'] * len(part))}) AS s"
                " ON t.ID = s.ID WHEN MATCHED THEN UPDATE SET TEXT = s.TEXT, TERMS = s.TERMS"
                " WHEN NOT MATCHED THEN INSERT (ID, TEXT, TERMS) VALUES (s.ID, s.TEXT, s.TERMS)",
                *(value for row in part for value in row),
            )

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        """See `VectorStore`."""
        for start in range(0, len(ids), PAGE):
            part = ids[start : start + PAGE]
            try:
                await self._run(f"DELETE FROM {self._table(collection)} WHERE ID IN ({_places(part)})", *part)
            except CollectionMissing:
                return

    async def count(self, collection: str) -> int:
        """See `VectorStore`."""
        try:
            [[found]] = await self._run(f"SELECT COUNT(*) FROM {self._table(collection)}")
        except CollectionMissing:
            return 0
        return int(found)

    async def present(self, collection: str, ids: Sequence[str]) -> set[str]:
        """See `VectorStore`."""
        found: set[str] = set()
        for start in range(0, len(ids), PAGE):
            part = ids[start : start + PAGE]
            try:
                rows = await self._run(f"SELECT ID FROM {self._table(collection)} WHERE ID IN ({_places(part)})", *part)
            except CollectionMissing:
                return set()
            found.update(str(row[0]) for row in rows)
        return found

    async def search(self, collection: str, vector: Vector, count: int, where: Filter | None = None) -> list[Match]:
        """See `VectorStore`; refused, since it embeds questions itself."""
        raise VectorsRefused(EMBEDS)

    async def search_text(self, collection: str, text: str, count: int, where: Filter | None = None) -> list[Match]:
        """See `PassageSearch`."""
        if where is not None:
            check(where, OPERATORS, "Snowflake Cortex Search")
        clause = True if where is None else translate(where, CortexGrammar())
        if clause is False:
            return []
        rows = await asyncio.to_thread(
            self._session.search,
            service_name(collection),
            text,
            limit=min(count, MOST_RESULTS),
            clause=clause if isinstance(clause, dict) else None,
        )
        return [Match(id=str(row["ID"]), score=_score(row, place)) for place, row in enumerate(rows)]

    async def exists(self, collection: str) -> bool:
        """See `VectorStore`."""
        rows = await self._run(
            f"SELECT 1 FROM {self._connection.database}.INFORMATION_SCHEMA.TABLES"
            " WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s",
            self._connection.schema_,
            table_name(collection),
        )
        return bool(rows)

    async def settled(self, collection: str, count: int) -> bool:
        """See `Settling`: whether the service has read so many rows of the table."""
        described = await asyncio.to_thread(self._session.describe, f"{self._place}.{service_name(collection)}")
        return int(described.get("source_data_num_rows") or 0) >= count

    async def drop(self, collection: str) -> None:
        """See `VectorStore`."""
        self._made.discard(collection)
        await self._run(f"DROP CORTEX SEARCH SERVICE IF EXISTS {self._place}.{service_name(collection)}")
        await self._run(f"DROP TABLE IF EXISTS {self._table(collection)}")
        try:
            await self._run(f"DELETE FROM {self._place}.{OWNERS} WHERE NAME = %s", table_name(collection))
        except CollectionMissing:
            return

    async def close(self) -> None:
        """See `VectorStore`."""
        await asyncio.to_thread(self._session.close)

    def _table(self, collection: str) -> str:
        return f"{self._place}.{table_name(collection)}"

    async def _make(self, collection: str) -> None:
        """Have the table and the service."""
        if collection in self._made:
            return
        table, given = self._table(collection), self._connection
        await self._run(
            f"CREATE TABLE IF NOT EXISTS {table} (ID VARCHAR NOT NULL, TEXT VARCHAR, TERMS ARRAY)"
            " CHANGE_TRACKING = TRUE"
        )
        await self._run(
            f"CREATE CORTEX SEARCH SERVICE IF NOT EXISTS {self._place}.{service_name(collection)} ON TEXT"
            f" ATTRIBUTES TERMS WAREHOUSE = {given.warehouse} TARGET_LAG = '{given.target_lag}'"
            f" EMBEDDING_MODEL = '{given.embedding_model}' AS (SELECT ID, TEXT, TERMS FROM {table})"
        )
        self._made.add(collection)

    async def _run(self, sql: str, *values: Value) -> list[Any]:
        """The rows of a statement, which may be repeated."""

        async def step() -> list[Any]:
            return await asyncio.to_thread(self._session.rows, sql, values)

        return await retrying.retry(step, policy=retrying.INGESTION, on=_worth_retrying, seconds=PATIENCE)


class CortexGrammar:
    """See `Grammar`."""

    def any_term(self, terms: Sequence[str]) -> Clause:
        """See `Grammar`."""
        clauses = [{"@contains": {"TERMS": each}} for each in terms]
        return clauses[0] if len(clauses) == 1 else {"@or": clauses}

    def order(self, field: str, op: Order, value: str | float) -> Clause | bool:
        """See `Grammar`."""
        raise UnsupportedFilter(
            f"Snowflake Cortex Search has no {op} for attributes: say which values are wanted, with in"
        )

    def both(self, parts: Sequence[Clause]) -> Clause:
        """See `Grammar`."""
        return {"@and": list(parts)}

    def either(self, parts: Sequence[Clause]) -> Clause:
        """See `Grammar`."""
        return {"@or": list(parts)}

    def negated(self, part: Clause) -> Clause:
        """See `Grammar`."""
        return {"@not": part}


def table_name(collection: str) -> str:
    """Name of a collection's table."""
    return f"SLIPWAY_{key_fingerprint(collection).upper()}"


def service_name(collection: str) -> str:
    """Name of a collection's search service."""
    return f"{table_name(collection)}_SEARCH"


def _places(values: Sequence[str]) -> str:
    return ", ".join(["%s"] * len(values))


def _score(row: dict[str, Any], place: int) -> float:
    """Similarity of a result, where the service tells it; else its place as a number that falls."""
    scores = row.get("@scores")
    found = scores.get("cosine_similarity") if isinstance(scores, dict) else None
    return float(found) if found is not None else 1 / (1 + place)


def _worth_retrying(error: BaseException) -> bool:
    return isinstance(error, VectorsUnavailable) and not isinstance(error, VectorsRefused)


def connected(connection: SnowflakeConnection) -> SnowflakeVectors:
    """The vector store of an account's schema, reached when it is first used."""
    return SnowflakeVectors(connection)
