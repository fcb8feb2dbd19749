"""The vector stores of a cluster, one server an index."""

from collections.abc import Callable, Mapping

from slipway_crds.runtimeconfig import BackendKind, VectorsConfig
from slipway_runtime.knowledge.vectors.chroma_server import ChromaServer
from slipway_runtime.knowledge.vectors.contract import VectorStore

CLIENTS: Mapping[BackendKind, Callable[[str], VectorStore]] = {"chroma": ChromaServer}
"""What speaks to a server of each kind, made from its URL."""


class VectorServers:
    """The vector stores of indexes that each have a server of their own, by a pattern for its URL.

    Args:
        pattern: such as `http://{index}-index:8000`; `{index}` becomes the index's name without its namespace.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._stores: dict[str, VectorStore] = {}

    def __call__(self, index: str, config: VectorsConfig, /) -> VectorStore:
        """See `OpenVectors`."""
        name = index.partition("/")[2]
        if name not in self._stores:
            self._stores[name] = CLIENTS[config.kind](self._pattern.format(index=name))
        return self._stores[name]

    async def close(self) -> None:
        """Close them all."""
        for store in self._stores.values():
            await store.close()
