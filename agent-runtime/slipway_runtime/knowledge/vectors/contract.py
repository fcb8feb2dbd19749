"""Where the vectors of chunks are kept and searched.

`VectorStore` is what Slipway asks of a back end. Texts are not kept there: the store has them, and one place to look is
enough. Scores are similarities, higher is better. A collection is one build of one index; builds never share one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from slipway_crds.runtimeconfig import BackendKind
from slipway_runtime.knowledge.embedding.embedder import Matrix, Vector


class VectorsUnavailable(Exception):
    """The vector store cannot be reached, or cannot do its work now. Whoever asks again later may succeed."""


class VectorsFull(VectorsUnavailable):
    """There is no room for what is written: a person has to make some, so asking again soon is of no use."""


class CollectionMissing(Exception):
    """There is no such collection."""


@dataclass(frozen=True)
class Match:
    """A vector that was found."""

    id: str
    score: float
    """Cosine similarity, at most 1."""


class VectorStore(Protocol):
    """A back end. Every method raises `VectorsUnavailable` when it is unavailable."""

    async def upsert(self, collection: str, ids: Sequence[str], vectors: Matrix) -> None:
        """Write vectors [len(ids), dimensions] by id; the collection is made if it is not there."""
        ...

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Remove vectors; ids that are not there are ignored, and so is a collection that is not."""
        ...

    async def count(self, collection: str) -> int:
        """How many vectors the collection has; 0 if it is not there."""
        ...

    async def present(self, collection: str, ids: Sequence[str]) -> set[str]:
        """Those of the ids that the collection has; none if it is not there."""
        ...

    async def search(self, collection: str, vector: Vector, count: int) -> list[Match]:
        """The nearest vectors, best first.

        Raises:
            CollectionMissing: if it is not there.
        """
        ...

    async def exists(self, collection: str) -> bool:
        """Whether there is such a collection."""
        ...

    async def drop(self, collection: str) -> None:
        """Remove a collection; it is fine if it is not there."""
        ...

    async def close(self) -> None:
        """Give connections back."""
        ...


class OpenVectors(Protocol):
    """Gives the vector store of an index."""

    def __call__(self, index: str, backend: BackendKind, /) -> VectorStore:
        """The store of an index, by `namespace/name` and the kind of its back end; the same object each time."""
        ...
