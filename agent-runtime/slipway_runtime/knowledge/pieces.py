"""A chunk's pieces: what they are, how they are shown, and how the store holds them with their vectors.

Written by the ingestion and read for every answer, so the stored form is short: JSON lists `[start, end, kind]`, with
what a reader sees where that is not what is written, and the vectors as the bytes of their floats.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import orjson

from slipway_runtime.knowledge.embedding.embedder import Matrix

SPACE = re.compile(r"\s+")


class PieceKind(StrEnum):
    """What a piece of text is, which decides how it is split and shown."""

    SENTENCE = "sentence"
    CODE = "code"
    ROW = "row"


@dataclass(frozen=True)
class Piece:
    """A sentence, some code or a table row: the unit that answers are made of. Offsets are characters of the text."""

    kind: PieceKind
    start: int
    end: int
    shown: str = ""
    """What a reader sees of it, without markup; empty if that is what stands there, but for white space."""

    def reading(self, written: str) -> str:
        """The piece as it reads.

        Args:
            written: what the document has in its place.
        """
        return self.shown or (written if self.kind is PieceKind.CODE else collapsed(written))


def collapsed(text: str) -> str:
    """The text on one line, with single spaces."""
    return SPACE.sub(" ", text).strip()


def reading(pieces: Sequence[Piece], text: str, start: int) -> str:
    """Pieces as they read, one after the other: those of a paragraph on one line.

    Args:
        text: what the document has from `start` on.
    """
    parts: list[str] = []
    before: Piece | None = None
    for piece in pieces:
        words = piece.reading(text[piece.start - start : piece.end - start])
        if before is not None:
            gap = text[before.end - start : piece.start - start]
            alike = piece.kind is before.kind
            same = alike and piece.kind is PieceKind.SENTENCE and "\n" not in gap.strip(" \t").removeprefix("\n")
            parts.append(" " if same else "\n" if alike and piece.kind is not PieceKind.SENTENCE else "\n\n")
        parts.append(words)
        before = piece
    return "".join(parts)


def encode_pieces(pieces: Sequence[Piece]) -> str:
    """The pieces as JSON text."""
    return orjson.dumps(
        [[piece.start, piece.end, piece.kind.value, *([piece.shown] if piece.shown else [])] for piece in pieces]
    ).decode()


def decode_pieces(text: str) -> list[Piece]:
    """What `encode_pieces` was given."""
    return [Piece(PieceKind(kind), start, end, *shown) for start, end, kind, *shown in orjson.loads(text)]


def encode_vectors(vectors: Matrix) -> bytes:
    """The vectors [n, dimensions] as little-endian float32."""
    return np.ascontiguousarray(vectors, dtype="<f4").tobytes()


def decode_vectors(content: bytes, *, dimensions: int) -> Matrix:
    """What `encode_vectors` was given; read-only, and without a copy."""
    return np.frombuffer(content, dtype="<f4").reshape(-1, dimensions)
