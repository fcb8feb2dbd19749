"""What turns texts into vectors: the contract between an embedding model and those who use it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
Matrix = NDArray[np.float32]


class TextTooLong(ValueError):
    """A text has more tokens than the model reads; embedding it would drop the rest silently."""


class EmbeddingUnavailable(Exception):
    """A service gives no vectors; the text says what to do.

    Args:
        passing: whether asking again may succeed.
        retry_after: seconds after which the service wants to be asked again, where it says so.
    """

    def __init__(self, text: str, *, passing: bool = False, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.passing = passing
        self.retry_after = retry_after


class Tokens(Protocol):
    """How a model counts a text. The tokens that a model adds on its own are not counted."""

    def count_tokens(self, text: str) -> int:
        """How many tokens a text has."""
        ...

    def token_starts(self, text: str) -> list[int]:
        """Where each token of the text begins, in characters, ascending."""
        ...


class Embedder(Tokens, Protocol):
    """A model. Its vectors have length one, so that their dot product is their cosine similarity."""

    @property
    def identity(self) -> Mapping[str, str]:
        """What distinguishes this model's vectors from those of any other: part of the fingerprint of every build."""
        ...

    @property
    def dimensions(self) -> int:
        """The length of a vector."""
        ...

    async def embed_query(self, text: str) -> Vector:
        """A question's vector [dimensions]. A question beyond what the model reads counts by its beginning.

        Raises:
            EmbeddingUnavailable: if a service gives none.
        """
        ...

    async def embed_texts(self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None) -> Matrix:
        """Vectors [len(texts), dimensions] in the order of the texts; `progress` gets how many are done.

        Raises:
            TextTooLong: if the model would not read a text to its end.
            EmbeddingUnavailable: if a service gives none.
        """
        ...
