"""Vector stores in the local driver: Chroma in this process, pgvector in the store, and what connections lead to.

`VECTOR_DB_TYPE` names a member of `spec.backend` that takes the place of what manifests leave to Slipway, and
`VECTOR_DB_CONNECTION` holds what the Secret of its connection would: so a container is told where to keep vectors.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from slipway_crds.bindings import connections_of
from slipway_crds.contract import connection_file
from slipway_crds.indexes.model import VectorIndex
from slipway_crds.runtimeconfig import BackendKind, VectorsConfig
from slipway_crds.servers import SecretKey
from slipway_runtime.dev.manifests import Manifests, NamespacedName, key_of
from slipway_runtime.dev.model_files import Missing, replace_file, secret_value
from slipway_runtime.knowledge.vectors.contract import VectorStore
from slipway_runtime.knowledge.vectors.servers import VectorServers
from slipway_runtime.store.database import Database

TYPE = "VECTOR_DB_TYPE"
CONNECTION = "VECTOR_DB_CONNECTION"
FIELDS = {"documents": "spec.documents.store", "embedding": "spec.embedding", "reranker": "spec.search.reranker"}
"""What needs a connection, by its kind; the others are back ends."""
FROM_ENVIRONMENT = SecretKey(name="environment", key=CONNECTION)


class InvalidPlace(Exception):
    """The environment names no place for vectors; the text says what to set."""


@dataclass(frozen=True)
class ChosenPlace:
    """What the environment says; `kind` None: what the manifests say."""

    kind: BackendKind | None = None
    connection: str = ""

    def of(self, index: str, place: VectorsConfig) -> VectorsConfig:
        """Where the vectors of an index are. A connection of its own stays."""
        if self.kind is None or place.connection is not None:
            return place
        ref = FROM_ENVIRONMENT
        return VectorsConfig(
            kind=self.kind, connection=connection_file(index, ref.name, ref.key) if self.connection else None
        )


def chosen_place(environment: Mapping[str, str], *, postgres: bool) -> ChosenPlace:
    """What the environment says.

    Args:
        postgres: whether the store is one.

    Raises:
        InvalidPlace: if it names none, or one that needs something else.
    """
    kind, connection = environment.get(TYPE, ""), environment.get(CONNECTION, "")
    if not kind:
        return ChosenPlace()
    if kind not in get_args(BackendKind):
        raise InvalidPlace(f"{TYPE} is {kind}: write one of {', '.join(get_args(BackendKind))}")
    if not connection and kind == "pgvector" and not postgres:
        raise InvalidPlace(f"{TYPE} is pgvector: give --store postgresql://..., or a DSN in {CONNECTION}")
    if not connection and kind not in ("chroma", "pgvector"):
        raise InvalidPlace(f"{TYPE} is {kind}: set {CONNECTION} to what leads there, as a connectionRef holds it")
    return ChosenPlace(cast(BackendKind, kind), connection)


class LocalVectors:
    """Gives the vector stores of all indexes, and keeps the files of their connections.

    Args:
        embedded: the Chroma of this process.
        folder: for the files, of this process alone.
        store: if it is a Postgres; without one, pgvector is emulated by the Chroma.
    """

    def __init__(
        self, embedded: VectorStore, folder: Path, environment: Mapping[str, str], *, store: Database | None
    ) -> None:
        self.chosen = chosen_place(environment, postgres=store is not None)
        self._embedded = embedded
        self._folder = folder
        self._environment = environment
        self._store = store
        self._servers: dict[str, VectorServers] = {}

    def __call__(self, index: str, config: VectorsConfig, /) -> VectorStore:
        """See `OpenVectors`."""
        if config.connection is None and (config.kind == "chroma" or self._store is None):
            return self._embedded
        namespace = index.partition("/")[0]
        if namespace not in self._servers:
            self._servers[namespace] = VectorServers("", store=self._store, connections=self.folder_of(index))
        return self._servers[namespace](index, config)

    def folder_of(self, index: str) -> Path:
        """The folder of connections of an index's namespace."""
        return self._folder / index.partition("/")[0]

    def missing(self, manifests: Manifests) -> list[str]:
        """What connections need and nobody gave."""
        return [value.sentence for value in self._values(manifests).values() if isinstance(value, Missing)]

    def apply(self, manifests: Manifests) -> None:
        """Make the files those of these manifests."""
        values = self._values(manifests)
        for path, value in values.items():
            file = self._folder / path
            if not isinstance(value, Missing) and not (file.exists() and file.read_bytes() == value):
                replace_file(file, value)
        kept = {str(Path(path).parent) for path, value in values.items() if not isinstance(value, Missing)}
        for old in [each for each in self._folder.glob("*/*/*") if str(each.relative_to(self._folder)) not in kept]:
            shutil.rmtree(old)

    def _values(self, manifests: Manifests) -> dict[str, bytes | Missing]:
        found: dict[str, bytes | Missing] = {}
        for index in manifests.objects:
            if not isinstance(index, VectorIndex):
                continue
            key = key_of(index)
            for connection in connections_of([index]):
                if connection.secret is None or connection.path is None:
                    continue
                ref = SecretKey(name=connection.secret.name, key=connection.secret.key)
                field = FIELDS.get(connection.of or connection.kind, "spec.backend")
                lacks = f"VectorIndex {key}: {field} has no connection"
                value = secret_value(ref, key.namespace, manifests, self._environment, lacks=lacks)
                found[f"{key.namespace}/{connection.path}"] = value
            if self.chosen.connection:
                found[f"{key.namespace}/{_from_environment(key)}"] = self.chosen.connection.encode()
        return found

    async def close(self) -> None:
        """Close what was opened for connections and in the store."""
        for servers in self._servers.values():
            await servers.close()


def _from_environment(index: NamespacedName) -> str:
    return connection_file(index.name, FROM_ENVIRONMENT.name, FROM_ENVIRONMENT.key)
