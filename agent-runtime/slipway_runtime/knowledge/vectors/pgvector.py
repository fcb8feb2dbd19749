"""Postgres with pgvector as a vector store: the store's own Postgres, or another.

The tables are in the schema of the role that signs in. The extension is made once by the administrator, in whichever
schema (Slipway's operator has it in `extensions`); its names are always qualified, so no search path matters. Version
0.8 is the first whose index goes on searching until a filter has left enough.
"""

import re
import time

from slipway_crds.indexes.connections import PostgresConnection
from slipway_runtime.knowledge.vectors.contract import VectorsUnavailable
from slipway_runtime.knowledge.vectors.filters import Filter
from slipway_runtime.knowledge.vectors.sql_vectors import SqlVectors, VectorTable
from slipway_runtime.store.database import Database, Value
from slipway_runtime.store.lazy_postgres import LazyPostgres

NEEDED = (0, 8)
CREATE_EXTENSION = "CREATE SCHEMA IF NOT EXISTS extensions; CREATE EXTENSION vector SCHEMA extensions"
UPDATE_EXTENSION = "ALTER EXTENSION vector UPDATE"
HNSW = "m = 16, ef_construction = 64"
INDEXED_DIMENSIONS = 2000
"""More than that pgvector cannot index, except as numbers of half the size; those tables are searched exactly."""
FEW = 1000
"""Rows that a filter may leave, however small the table, to be searched exactly."""
JUDGED_SECONDS = 60.0
JUDGED = 1024
"""So many filters are remembered with whether they leave few rows."""
CONNECTIONS = 3
"""Of a process to a Postgres that is not the store's."""


class Pgvector(SqlVectors):
    """See `VectorStore`.

    Args:
        database: a Postgres, whose connections have the settings for vectors of `SERVER_SETTINGS`.
        owned: whether to close it in the end.
    """

    back_end = "pgvector"

    def __init__(self, database: Database, *, owned: bool = False) -> None:
        super().__init__(database, owned=owned)
        self._schema: str | None = None
        self._few: dict[tuple[Value, ...], tuple[float, bool]] = {}
        """By table and filter: until when it is known, and whether few rows are left."""

    async def vector_type(self) -> str:
        """See `SqlVectors`."""
        if self._schema is None:
            rows = await self.database.fetch(
                "SELECT quote_ident(n.nspname) AS schema, e.extversion AS version, "
                "has_schema_privilege(n.oid, 'USAGE') AS usable, quote_ident(current_user) AS role "
                "FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector'"
            )
            if not rows:
                raise VectorsUnavailable(
                    f"the database has no pgvector: let its administrator run `{CREATE_EXTENSION}`, in this database"
                )
            [row] = rows
            version, schema, role = (str(row[name]) for name in ("version", "schema", "role"))
            if _version(version) < NEEDED:
                raise VectorsUnavailable(
                    f"pgvector is {version}, and 0.8 is needed: let the administrator of the database install "
                    f"a newer one and run `{UPDATE_EXTENSION}`, in this database"
                )
            if not row["usable"]:
                raise VectorsUnavailable(
                    f"pgvector is in a schema that this role may not use: let the administrator of the database run "
                    f"`GRANT USAGE ON SCHEMA {schema} TO {role}`"
                )
            self._schema = schema
        return f"{self._schema}.vector"

    def distance(self, vector: str) -> str:
        """See `SqlVectors`."""
        return f"embedding OPERATOR({self._schema}.<=>) {vector}"

    async def grown(self, names: VectorTable, dimensions: int) -> None:
        """See `SqlVectors`."""
        on = f"{names.table} USING"
        if dimensions <= INDEXED_DIMENSIONS:
            await self.database.execute(
                f"CREATE INDEX IF NOT EXISTS {names.nearest} ON {on} hnsw "
                f"(embedding {self._schema}.vector_cosine_ops) WITH ({HNSW})"
            )
        await self.database.execute(
            f"CREATE INDEX IF NOT EXISTS {names.filtered} ON {on} gin (attributes jsonb_path_ops)"
        )
        await self.database.execute(f"ANALYZE {names.table}")

    async def few(self, table: str, where: Filter) -> bool:
        """Whether a filter leaves less than a hundredth of the rows, or few at all. It is looked at once a minute."""
        narrowed = self.narrowed(where, 2)
        key, now = (table, narrowed.sql, *narrowed.args), time.monotonic()
        known = self._few.get(key)
        if known is not None and known[0] > now:
            return known[1]
        rows = await self.number("SELECT reltuples::bigint FROM pg_class WHERE oid = $1::text::regclass", table)
        most = max(FEW, rows // 100)
        matching = f"SELECT 1 FROM {table} WHERE {narrowed.sql} LIMIT $1"
        left = await self.number(f"SELECT count(*) FROM ({matching}) AS matching", most, *narrowed.args)
        if len(self._few) >= JUDGED:
            self._few.clear()
        self._few[key] = (now + JUDGED_SECONDS, left < most)
        return left < most


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


def connected(connection: PostgresConnection) -> Pgvector:
    """The vector store of another Postgres, reached when it is first used."""
    return Pgvector(LazyPostgres(connection.dsn, connections=CONNECTIONS), owned=True)
