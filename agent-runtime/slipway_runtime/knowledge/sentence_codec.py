"""How a chunk's pieces and their vectors are written into the store, and read from it.

Written by the ingestion and read for every answer, so it is short: JSON triples `[start, end, kind]`, and the
vectors as the bytes of their floats.
"""

from collections.abc import Sequence

import numpy as np
import orjson

from slipway_runtime.knowledge.blocks import Kind
from slipway_runtime.knowledge.chunking import Piece
from slipway_runtime.knowledge.embedding import Matrix
from slipway_runtime.knowledge.model_files import DIMENSIONS


def encode_pieces(pieces: Sequence[Piece]) -> str:
    """The pieces as JSON text."""
    return orjson.dumps([[piece.start, piece.end, piece.kind.value] for piece in pieces]).decode()


def decode_pieces(text: str) -> list[Piece]:
    """What `encode_pieces` was given."""
    return [Piece(kind=Kind(kind), start=start, end=end) for start, end, kind in orjson.loads(text)]


def encode_vectors(vectors: Matrix) -> bytes:
    """The vectors [n, 384] as little-endian float32."""
    return np.ascontiguousarray(vectors, dtype="<f4").tobytes()


def decode_vectors(content: bytes) -> Matrix:
    """What `encode_vectors` was given; read-only, and without a copy."""
    return np.frombuffer(content, dtype="<f4").reshape(-1, DIMENSIONS)
