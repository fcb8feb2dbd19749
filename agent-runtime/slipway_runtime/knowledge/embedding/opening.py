"""The embedder of an index: the process's own MiniLM, or what the index's pointer names."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from slipway_crds.runtimeconfig import EmbeddingConfig
from slipway_runtime.knowledge.embedding.embedder import Embedder

if TYPE_CHECKING:  # what a process imports that has such an index
    from slipway_runtime.knowledge.embedding.service import ServiceEmbedder

MINILM = EmbeddingConfig()


class OpenEmbedder(Protocol):
    """Gives the embedder of an index."""

    def __call__(self, index: str, config: EmbeddingConfig, /) -> Embedder:
        """The embedder of an index, by `namespace/name` and its configuration; the same object each time."""
        ...


class Embedders:
    """Gives embedders by their configuration, the same object each time.

    Args:
        own: what embeds where nothing else is named. It stays whoever's it is.
        connections: gives the folder with the keys of an index's namespace.
    """

    def __init__(self, own: Embedder, *, connections: Callable[[str], Path]) -> None:
        self._own = own
        self._connections = connections
        self._services: dict[tuple[Path, EmbeddingConfig], ServiceEmbedder] = {}

    def __call__(self, index: str, config: EmbeddingConfig, /) -> Embedder:
        """See `OpenEmbedder`. Nothing is connected yet."""
        if config == MINILM:
            return self._own
        folder = self._connections(index)
        if (folder, config) not in self._services:
            from slipway_runtime.knowledge.embedding.service import ServiceEmbedder

            key = folder / config.key if config.key is not None else None
            self._services[folder, config] = ServiceEmbedder(config, key_file=key, tokens=self._own)
        return self._services[folder, config]

    async def close(self) -> None:
        """Close the connections of services."""
        for service in self._services.values():
            await service.close()
