"""A chunk's pieces: what they are, how they are shown, and how the store holds them with their vectors.

Written by the ingestion and read for every answer, so the stored form is short: JSON triples `[start, end, kind]`, and
the vectors as the bytes of their floats.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import orjson

from slipway_runtime.knowledge.embedding.embedder import Matrix

LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\s]*(?:\s+\"[^\"]*\")?\)")
EMPHASIS = re.compile(r"(?<![\w*])\*(?=[^\s*])([^*\n]*[^\s*])\*(?![\w*])")
MARKUP = re.compile(r"\*\*|`|</?(?:a|b|br|code|em|i|kbd|p|span|strong|sub|sup)(?:\s[^>\n]{0,200})?/?>", re.IGNORECASE)
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


def readable(text: str, kind: PieceKind = PieceKind.SENTENCE) -> str:
    """A quote without its markup, for the model and for the eye: links as their words, no emphasis, single spaces."""
    if kind is PieceKind.CODE:
        return text
    if kind is PieceKind.ROW:
        text = text.strip().strip("|").replace("|", " | ")
    return SPACE.sub(" ", MARKUP.sub("", EMPHASIS.sub(r"\1", LINK.sub(r"\1", text)))).strip()


def encode_pieces(pieces: Sequence[Piece]) -> str:
    """The pieces as JSON text."""
    return orjson.dumps([[piece.start, piece.end, piece.kind.value] for piece in pieces]).decode()


def decode_pieces(text: str) -> list[Piece]:
    """What `encode_pieces` was given."""
    return [Piece(kind=PieceKind(kind), start=start, end=end) for start, end, kind in orjson.loads(text)]


def encode_vectors(vectors: Matrix) -> bytes:
    """The vectors [n, dimensions] as little-endian float32."""
    return np.ascontiguousarray(vectors, dtype="<f4").tobytes()


def decode_vectors(content: bytes, *, dimensions: int) -> Matrix:
    """What `encode_vectors` was given; read-only, and without a copy."""
    return np.frombuffer(content, dtype="<f4").reshape(-1, dimensions)
