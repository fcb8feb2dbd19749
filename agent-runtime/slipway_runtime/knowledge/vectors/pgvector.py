"""Postgres with pgvector as a vector store: the store's own Postgres, or another.

The tables are in the schema of the role that signs in. The extension is made once by the administrator, in whichever
schema (Slipway's operator has it in `extensions`); its names are always qualified, so no search path matters. Version
0.8 is the first whose index goes on searching until a filter has left enough.
"""

import re

from slipway_crds.indexes.connections import PostgresConnection
from slipway_runtime.knowledge.vectors.contract import VectorsUnavailable
from slipway_runtime.knowledge.vectors.sql_vectors import SqlVectors, VectorTable
from slipway_runtime.store.database import Database
from slipway_runtime.store.lazy_postgres import LazyPostgres

NEEDED = (0, 8)
CREATE_EXTENSION = "CREATE SCHEMA IF NOT EXISTS extensions; CREATE EXTENSION vector SCHEMA extensions"
UPDATE_EXTENSION = "ALTER EXTENSION vector UPDATE"
HNSW = "m = 16, ef_construction = 64"
INDEXED_DIMENSIONS = 2000
"""More than that pgvector cannot index, except as numbers of half the size; those tables are searched exactly."""
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

    async def vector_type(self) -> str:
        """See `SqlVectors`."""
        if self._schema is None:
            rows = await self._database.fetch(
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

    async def make_indexes(self, names: VectorTable, dimensions: int) -> None:
        """See `SqlVectors`."""
        on = f"{names.table} USING"
        if dimensions <= INDEXED_DIMENSIONS:
            await self._database.execute(
                f"CREATE INDEX IF NOT EXISTS {names.nearest} ON {on} hnsw "
                f"(embedding {self._schema}.vector_cosine_ops) WITH ({HNSW})"
            )
        await self._database.execute(
            f"CREATE INDEX IF NOT EXISTS {names.filtered} ON {on} gin (attributes jsonb_path_ops)"
        )
        await self._database.execute(f"ANALYZE {names.table}")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


def connected(connection: PostgresConnection) -> Pgvector:
    """The vector store of another Postgres, reached when it is first used."""
    return Pgvector(LazyPostgres(connection.dsn, connections=CONNECTIONS), owned=True)
