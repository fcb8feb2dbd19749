"""Where the vectors of chunks are kept and searched.

`VectorStore` is what Slipway asks of a back end. Texts are not kept there: the store has them, and one place to look is
enough. Scores are similarities, higher is better. A collection is one build of one index; builds never share one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from slipway_crds.runtimeconfig import VectorsConfig
from slipway_runtime.knowledge.embedding.embedder import Matrix, Vector
from slipway_runtime.knowledge.vectors.filters import Attributes, Filter, Operator


class VectorsUnavailable(Exception):
    """The vector store cannot be reached, or cannot do its work now. Whoever asks again later may succeed."""


class VectorsFull(VectorsUnavailable):
    """There is no room for what is written: a person has to make some, so asking again soon is of no use."""


class VectorsRefused(VectorsUnavailable):
    """What is written or asked does not fit what is there, such as a vector of another dimension: asking again is of no
    use."""


class CollectionMissing(Exception):
    """There is no such collection."""


@dataclass(frozen=True)
class Match:
    """A vector that was found."""

    id: str
    score: float
    """Cosine similarity, at most 1."""


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a back end can do. What it cannot is refused before it is called."""

    filters: frozenset[Operator] = frozenset()
    """Operators that narrow a search."""
    read_after_write: bool = True
    """Whether what was written is found at once, not some time later."""
    server_side_embedding: bool = False
    """Whether it embeds texts itself (`PassageSearch`), so that a fingerprint names its model."""


class VectorStore(Protocol):
    """A back end. Every method raises `VectorsUnavailable` when it is unavailable."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        ...

    async def upsert(
        self, collection: str, ids: Sequence[str], vectors: Matrix, attributes: Sequence[Attributes] | None = None
    ) -> None:
        """Write vectors [len(ids), dimensions] by id, each with its attributes; the collection is made if it is not
        there."""
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

    async def search(self, collection: str, vector: Vector, count: int, where: Filter | None = None) -> list[Match]:
        """The nearest vectors among those that the filter leaves, best first.

        Raises:
            CollectionMissing: if it is not there.
            UnsupportedFilter: if it cannot narrow a search so.
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


class PassageSearch(Protocol):
    """What lies above a `VectorStore` for services that embed texts themselves."""

    async def upsert_texts(
        self, collection: str, ids: Sequence[str], texts: Sequence[str], attributes: Sequence[Attributes] | None = None
    ) -> None:
        """Write texts by id, each with its attributes; the collection is made if it is not there."""
        ...

    async def search_text(self, collection: str, text: str, count: int, where: Filter | None = None) -> list[Match]:
        """As `VectorStore.search`, by the service's own scores, higher is better."""
        ...


class OpenVectors(Protocol):
    """Gives the vector store of an index."""

    def __call__(self, index: str, config: VectorsConfig, /) -> VectorStore:
        """The store of an index, by `namespace/name` and where its vectors are; the same object each time.

        Raises:
            VectorsUnavailable: if its connection cannot be read.
        """
        ...
