"""Chunks that were read before: a question reads from the store which of them are still there, and no more.

A chunk's id is the address of its content in one build, so what was read under an id once is right for ever.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from slipway_runtime.knowledge.embedding.embedder import Matrix, Vector
from slipway_runtime.knowledge.pieces import Piece, decode_pieces, decode_vectors
from slipway_runtime.knowledge.retrieval.wording import PieceWords, Terms, all_of, words_of
from slipway_runtime.store.documents import StoredChunk

CACHE_BYTES = 16 * 1024 * 1024
"""Of all indexes of a process: more than a thousand chunks."""
WORDS_SHARE = 16
"""What a chunk and its words take for each character of its text."""
PIECE_BYTES = 300
"""What a piece takes apart from its vector, and a chunk for each as well."""


@dataclass(frozen=True, eq=False)
class DecodedChunk:
    """A chunk, and what its stored form stands for."""

    chunk: StoredChunk
    pieces: Sequence[Piece]
    vectors: Matrix
    """float32 [pieces, dimensions of the embedder]."""
    verified: Sequence[bool]
    """Whether the stored document has each piece, word for word."""

    @cached_property
    def words(self) -> tuple[PieceWords, ...]:
        """What each piece says."""
        chunk = self.chunk
        return words_of(chunk.text, self.pieces, start=chunk.start, heading=chunk.heading)

    @cached_property
    def terms(self) -> Terms:
        """What all of them say."""
        return all_of(self.words)

    @cached_property
    def middle(self) -> tuple[Vector, float]:
        """The mean of its vectors, and the length of that."""
        mean = self.vectors.mean(axis=0)
        return mean, max(float(np.linalg.norm(mean)), 1e-9)

    @property
    def size(self) -> int:
        """Bytes that it takes, roughly."""
        chunk = self.chunk
        return (
            len(chunk.vectors)
            + WORDS_SHARE * len(chunk.text)
            + len(chunk.sentences)
            + PIECE_BYTES * (2 + len(self.pieces))
        )


def decoded(chunk: StoredChunk, *, dimensions: int, otherwise: str | None = None) -> DecodedChunk:
    """A chunk that was just read.

    Args:
        otherwise: what the stored document has in its place, where that differs.
    """
    pieces = tuple(decode_pieces(chunk.sentences))
    own, stored = chunk.text, chunk.text if otherwise is None else otherwise
    places = [slice(piece.start - chunk.start, piece.end - chunk.start) for piece in pieces]
    verified = tuple(own[place] == stored[place] for place in places)
    return DecodedChunk(chunk, pieces, decode_vectors(chunk.vectors, dimensions=dimensions), verified)


class ChunkCache:
    """Keeps the chunks that were used last.

    Args:
        most: bytes that they may take.
    """

    def __init__(self, most: int = CACHE_BYTES) -> None:
        self._most = most
        self._taken = 0
        self._chunks: OrderedDict[str, DecodedChunk] = OrderedDict()

    def get(self, id: str) -> DecodedChunk | None:  # noqa: A002
        """The chunk with this id, if it is kept."""
        found = self._chunks.get(id)
        if found is not None:
            self._chunks.move_to_end(id)
        return found

    def put(self, chunk: DecodedChunk) -> None:
        """Keep a chunk, in the place of those that were not used for longest."""
        if chunk.chunk.id in self._chunks:
            return
        self._chunks[chunk.chunk.id] = chunk
        self._taken += chunk.size
        while self._taken > self._most:
            _, oldest = self._chunks.popitem(last=False)
            self._taken -= oldest.size
