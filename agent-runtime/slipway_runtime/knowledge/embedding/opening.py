"""The embedder of an index: the process's own MiniLM, or what the index's pointer names."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from slipway_crds.runtimeconfig import EmbeddingConfig
from slipway_runtime.knowledge.embedding.embedder import Embedder

if TYPE_CHECKING:  # what a process imports that has such an index
    from slipway_runtime.knowledge.embedding.onnx_folder import FolderEmbedder
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
        models: gives the folder with the model of an index, by `namespace/name`, that has one in files.
        workers: how many runs of such a model may go on at the same time.
    """

    def __init__(
        self,
        own: Embedder,
        *,
        connections: Callable[[str], Path],
        models: Callable[[str, EmbeddingConfig], Path],
        workers: int = 2,
    ) -> None:
        self._own = own
        self._connections = connections
        self._models = models
        self._workers = workers
        self._opened: dict[tuple[Path, EmbeddingConfig], ServiceEmbedder | FolderEmbedder] = {}

    def __call__(self, index: str, config: EmbeddingConfig, /) -> Embedder:
        """See `OpenEmbedder`. Nothing is connected or loaded yet."""
        if config == MINILM:
            return self._own
        folder = self._models(index, config) if config.provider == "onnx" else self._connections(index)
        if (folder, config) not in self._opened:
            self._opened[folder, config] = self._open(folder, config)
        return self._opened[folder, config]

    def _open(self, folder: Path, config: EmbeddingConfig) -> "ServiceEmbedder | FolderEmbedder":
        if config.provider == "onnx":
            from slipway_runtime.knowledge.embedding.onnx_folder import FolderEmbedder

            return FolderEmbedder(folder, config, workers=self._workers)
        from slipway_runtime.knowledge.embedding.service import ServiceEmbedder

        key = folder / config.key if config.key is not None else None
        return ServiceEmbedder(config, key_file=key, tokens=self._own)

    async def close(self) -> None:
        """Close the connections of services, and free the memory of models."""
        for opened in self._opened.values():
            await opened.close()
