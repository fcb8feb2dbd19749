"""The reranker of an index: what its pointer names. Its code is imported by a process that has such an index."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from slipway_crds.runtimeconfig import RerankerConfig

if TYPE_CHECKING:
    from slipway_runtime.knowledge.retrieval.rerank_service import ServiceReranker

RERANKED = 32
"""Passages that a service is given at most: more are refused by TEI as it is delivered."""


class OpenReranker(Protocol):
    """Gives the reranker of an index."""

    def __call__(self, index: str, config: RerankerConfig, /) -> "ServiceReranker":
        """That of an index, by `namespace/name` and its configuration; the same object each time."""
        ...


class Rerankers:
    """Gives rerankers by their configuration, the same object each time.

    Args:
        connections: gives the folder with the keys of an index's namespace.
    """

    def __init__(self, *, connections: Callable[[str], Path]) -> None:
        self._connections = connections
        self._services: dict[tuple[str, RerankerConfig], ServiceReranker] = {}

    def __call__(self, index: str, config: RerankerConfig, /) -> "ServiceReranker":
        """See `OpenReranker`. Nothing is connected yet."""
        if (index, config) not in self._services:
            from slipway_runtime.knowledge.retrieval.rerank_service import ServiceReranker
            from slipway_runtime.models.connection import key_in

            file = self._connections(index) / config.key if config.key is not None else None
            key = key_in(file, ref="spec.search.reranker.apiKeyRef")
            self._services[index, config] = ServiceReranker(index, config, key)
        return self._services[index, config]

    async def close(self) -> None:
        """Close the connections."""
        for service in self._services.values():
            await service.close()
