"""The vectors of a document's chunks: those that the build has are used again, and only the others are made.

What was embedded for a chunk is known by a digest of the texts, so that a document whose metadata or one paragraph
changed costs no more than that.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from slipway_runtime.knowledge.embedding.embedder import Embedder, Matrix
from slipway_runtime.knowledge.ingestion.chunking import Chunk, chunk_text
from slipway_runtime.knowledge.pieces import collapsed, decode_vectors
from slipway_runtime.store.documents import StoredVectors


@dataclass(frozen=True, eq=False)
class EmbeddedChunk:
    """The vectors of a chunk."""

    digest: str
    """Of what was embedded."""
    vectors: Matrix
    """float32 [1 + pieces, dimensions]: its own, then those of its pieces."""


def embedded_texts(chunk: Chunk) -> list[str]:
    """What is embedded of a chunk: it, then its pieces."""
    return [chunk_text(chunk), *(collapsed(words) for words in chunk.words)]


async def embed_chunks(
    embedder: Embedder,
    chunks: Sequence[Chunk],
    *,
    known: Mapping[str, StoredVectors],
    progress: Callable[[int], None],
) -> list[EmbeddedChunk]:
    """The vectors of the chunks, in order.

    Args:
        known: vectors that the build has of this document, by the digest of what was embedded.
        progress: called with the number of chunks that are done, roughly.
    """
    texts = [embedded_texts(chunk) for chunk in chunks]
    digests = [hashlib.sha256("\0".join(each).encode()).hexdigest()[:32] for each in texts]
    missing = {digest: each for digest, each in zip(digests, texts, strict=True) if digest not in known}
    flat = [text for each in missing.values() for text in each]
    share = len(missing) / len(flat) if flat else 0.0
    made = await embedder.embed_texts(flat, progress=lambda done: progress(int(done * share))) if flat else None
    found: dict[str, Matrix] = {}
    start = 0
    for digest, each in missing.items():
        assert made is not None
        found[digest] = made[start : start + len(each)]
        start += len(each)
    for digest in set(digests) - set(found):
        own = decode_vectors(known[digest].own, dimensions=embedder.dimensions)
        pieces = decode_vectors(known[digest].pieces, dimensions=embedder.dimensions)
        found[digest] = np.concatenate([own, pieces])
    return [EmbeddedChunk(digest, found[digest]) for digest in digests]
