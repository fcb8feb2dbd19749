"""Opening the vector store of an index: Slipway's own, or another that a connection describes."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

from slipway_crds.indexes.connections import InvalidConnection, parse_connection
from slipway_crds.runtimeconfig import BackendKind, VectorsConfig
from slipway_runtime.knowledge.connection_files import ConnectionFiles, ConnectionUnreadable
from slipway_runtime.knowledge.vectors.chroma_server import ChromaServer
from slipway_runtime.knowledge.vectors.contract import VectorStore, VectorsUnavailable
from slipway_runtime.store.database import Database

CONNECTED: Mapping[BackendKind, str] = {
    "chroma": "chroma_server",
    "pgvector": "pgvector",
    "cockroachdb": "cockroachdb",
    "mongodb": "mongodb",
    "vertex": "vertex",
    "snowflake": "snowflake",
}
"""By kind, the module here whose function `connected` makes a vector store from a connection. It is imported when it is
used."""


class VectorServers:
    """See `OpenVectors`: the indexes' own servers, the store, and what connections describe.

    Args:
        pattern: of the URL of an index's own Chroma, such as `http://{index}-index:8000`; `{index}` becomes the
            index's name without its namespace.
        store: the namespace's, where pgvector without a connection is; None if there is no Postgres.
        connections: folder of the files of connections, read again when one changes.
    """

    def __init__(self, pattern: str, *, store: Database | None = None, connections: Path | None = None) -> None:
        self._pattern = pattern
        self._store = store
        self._files = ConnectionFiles(connections)
        self._stores: dict[tuple[BackendKind, str], VectorStore] = {}

    def __call__(self, index: str, config: VectorsConfig, /) -> VectorStore:
        """See `OpenVectors`."""
        if config.connection is not None:
            text = self._connection(config.connection)
            return self._opened(config.kind, text, lambda: connected(config.kind, text))
        if config.kind == "chroma":
            url = self._pattern.format(index=index.partition("/")[2])
            return self._opened("chroma", url, lambda: ChromaServer(url))
        if config.kind == "pgvector":
            return self._opened("pgvector", "", self._in_store)
        raise VectorsUnavailable(f"an index of the kind {config.kind} needs a connectionRef, which says where it is")

    def _opened(self, kind: BackendKind, text: str, make: Callable[[], VectorStore]) -> VectorStore:
        """The store of this kind and connection. Those of former connections stay open for whoever still uses them."""
        if (kind, text) not in self._stores:
            self._stores[kind, text] = make()
        return self._stores[kind, text]

    def _in_store(self) -> VectorStore:
        from slipway_runtime.knowledge.vectors.pgvector import Pgvector

        if self._store is None:
            raise VectorsUnavailable("pgvector needs a Postgres: name one as the store, or another by connectionRef")
        return Pgvector(self._store)

    def _connection(self, name: str) -> str:
        """What a connection's file holds now."""
        try:
            return self._files.read(name)
        except ConnectionUnreadable as error:
            raise VectorsUnavailable(str(error)) from error

    async def close(self) -> None:
        """Close them all."""
        for store in self._stores.values():
            await store.close()


def connected(kind: BackendKind, text: str) -> VectorStore:
    """The vector store that a connection's file describes.

    Raises:
        VectorsUnavailable: if it describes none; the text says what to write.
    """
    if kind not in CONNECTED:
        raise VectorsUnavailable(f"this version cannot reach a back end of the kind {kind}: choose another")
    try:
        connection = parse_connection(kind, text)
    except InvalidConnection as error:
        raise VectorsUnavailable(str(error)) from error
    made: VectorStore = import_module(f"{__package__}.{CONNECTED[kind]}").connected(connection)
    return made
