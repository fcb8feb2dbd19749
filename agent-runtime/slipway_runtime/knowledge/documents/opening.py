"""Opening the place of an index's texts, by what its documents' rows name."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from slipway_crds.indexes.connections import InvalidConnection, parse_connection
from slipway_crds.runtimeconfig import DocumentsConfig
from slipway_runtime.knowledge.connection_files import ConnectionFiles, ConnectionUnreadable
from slipway_runtime.store.database import Database, StoreUnavailable
from slipway_runtime.store.installation import installation_id
from slipway_runtime.store.texts import TextsRefused, TextStore

MODULES = {"postgres": "sql_texts", "mongodb": "mongo_texts"}
"""By kind, the module here whose function `connected` makes a place of texts. It is imported when it is used."""


class TextStores:
    """See `OpenTexts`.

    Args:
        database: the namespace's store, which has the installation's id.
        connections: gives the folder with the connections of an index's namespace.
    """

    def __init__(self, database: Database, *, connections: Callable[[str], Path | None]) -> None:
        self._database = database
        self._connections = connections
        self._files: dict[Path | None, ConnectionFiles] = {}
        self._opened: dict[tuple[str, str], TextStore] = {}
        """By kind and connection. Those of former connections stay open for whoever still uses them."""
        self._installation = ""

    async def __call__(self, index: str, config: DocumentsConfig, /) -> TextStore:
        """See `OpenTexts`. Nothing is connected yet."""
        if config.kind == "store" or config.connection is None:
            raise TextsRefused(
                f"the texts of the index {index} are nowhere else: spec.documents.store has no connectionRef"
            )
        folder = self._connections(index)
        files = self._files.setdefault(folder, ConnectionFiles(folder))
        try:
            text = files.read(config.connection)
        except ConnectionUnreadable as error:
            raise StoreUnavailable(str(error)) from error
        if (config.kind, text) not in self._opened:
            try:
                connection = parse_connection(config.kind, text)
            except InvalidConnection as error:
                raise TextsRefused(str(error)) from error
            self._installation = self._installation or await installation_id(self._database)
            module = import_module(f"{__package__}.{MODULES[config.kind]}")
            made: TextStore = module.connected(connection, self._installation)
            self._opened.setdefault((config.kind, text), made)
        return self._opened[config.kind, text]

    async def close(self) -> None:
        """Close them all."""
        for store in self._opened.values():
            await store.close()
