"""Documents to chunks: pieces that the embedding model reads to their end, and that a citation can point into.

A chunk is a run of whole sentences (or code, or table rows) under one heading, bounded in tokens as the model's own
tokenizer counts them, with some overlap to the chunk before. Offsets are characters of the stored text, always: what a
chunk or a sentence says can be looked up and compared.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from slipway_runtime.knowledge.embedding.embedder import Tokens
from slipway_runtime.knowledge.ingestion.blocks import Block, blocks
from slipway_runtime.knowledge.ingestion.documents import Document, is_markdown
from slipway_runtime.knowledge.ingestion.sentences import split_sentences
from slipway_runtime.knowledge.pieces import Piece, PieceKind, readable

CHUNKER = "markdown-1"
"""Name and version of these rules; part of the fingerprint, so raise it when chunks come out differently."""
PIECE_CHARACTERS = 800
"""A longer sentence is cut: it would make a bad quote, and a token can hide thousands of unbroken characters."""
CHARACTERS_PER_TOKEN = 12
"""A chunk has at most this many characters for each token it may have, for the same reason."""
HEADING_SHARE = 4
"""The heading takes at most one part in this many of a chunk's tokens."""


@dataclass(frozen=True)
class Chunk:
    """The unit that is searched for."""

    ordinal: int
    heading: str
    start: int
    end: int
    pieces: tuple[Piece, ...]


def chunk_text(document_text: str, chunk: Chunk) -> str:
    """What of a chunk is embedded: the heading, then the words."""
    words = readable(document_text[chunk.start : chunk.end])
    return f"{chunk.heading}\n{words}" if chunk.heading else words


class Chunker:
    """Cuts documents for one index.

    Args:
        tokens: counts as the embedding model does.
        max_tokens: tokens of a chunk at most, the model's own two not counted.
        overlap: tokens that a chunk may repeat of the one before it.
    """

    def __init__(self, tokens: Tokens, *, max_tokens: int, overlap: int) -> None:
        self._tokens = tokens
        self._max_tokens = max_tokens
        self._overlap = overlap

    def chunks(self, document: Document) -> list[Chunk]:
        """The chunks of a document, in order; none for a document without words."""
        text = document.text
        packer = Packer(text, self._tokens.token_starts(text), self._max_tokens * CHARACTERS_PER_TOKEN)
        found: list[Chunk] = []
        for heading, group in groupby(blocks(text, markdown=is_markdown(document.name)), key=lambda b: b.heading):
            head = self._bounded(heading)
            budget = self._max_tokens - (self._tokens.count_tokens(head) if head else 0)
            pieces = [piece for block in group for piece in self._pieces(text, block, budget)]
            for run in packer.pack(pieces, budget=budget, overlap=self._overlap):
                for part in self._fitting(text, head, run):
                    found.append(Chunk(len(found), head, part[0].start, part[-1].end, tuple(part)))
        return found

    def _bounded(self, heading: str) -> str:
        """The heading's path, from the left shortened until it leaves room for text."""
        while heading and self._tokens.count_tokens(heading) > self._max_tokens // HEADING_SHARE:
            _, parted, rest = heading.partition(" > ")
            heading = rest if parted else heading[: len(heading) // 2].strip()
        return heading

    def _pieces(self, text: str, block: Block, budget: int) -> Iterator[Piece]:
        """What a block is made of, each part small enough to be a chunk alone."""
        spans: Iterable[tuple[int, int]] = [(0, block.end - block.start)]
        if block.kind is PieceKind.SENTENCE:
            spans = split_sentences(text[block.start : block.end])
        for start, end in spans:
            yield from self._bounded_pieces(text, Piece(block.kind, block.start + start, block.start + end), budget)

    def _bounded_pieces(self, text: str, piece: Piece, budget: int) -> Iterator[Piece]:
        """The piece itself if it is small enough, else its parts."""
        if (
            piece.end - piece.start <= PIECE_CHARACTERS
            and self._tokens.count_tokens(text[piece.start : piece.end]) <= budget
        ):
            yield piece
            return
        cut = cut_near_middle(text, piece)
        for start, end in ((piece.start, cut), (cut, piece.end)):
            words = text[start:end]
            if words.strip():
                begin = start + len(words) - len(words.lstrip())
                stop = start + len(words.rstrip())
                yield from self._bounded_pieces(text, Piece(piece.kind, begin, stop), budget)

    def _fitting(self, text: str, heading: str, run: Sequence[Piece]) -> Iterator[Sequence[Piece]]:
        """The run, halved until the model reads it whole: cut words can have more tokens than uncut ones."""
        chunk = Chunk(0, heading, run[0].start, run[-1].end, tuple(run))
        if len(run) == 1 or self._tokens.count_tokens(chunk_text(text, chunk)) <= self._max_tokens:
            yield run
            return
        middle = len(run) // 2
        yield from self._fitting(text, heading, run[:middle])
        yield from self._fitting(text, heading, run[middle:])


def cut_near_middle(text: str, piece: Piece) -> int:
    """Where to cut a piece that is too long: near its middle, at a line end (code), else at white space, else there."""
    middle = (piece.start + piece.end) // 2
    reach = (piece.end - piece.start) // 4
    for gap in ("\n", " ") if piece.kind is PieceKind.CODE else (" ", "\n"):
        before = text.rfind(gap, middle - reach, middle)
        after = text.find(gap, middle, middle + reach)
        if before >= 0 or after >= 0:
            return min((place for place in (before, after) if place >= 0), key=lambda place: abs(place - middle))
    return middle


class Packer:
    """Puts pieces together, as many as a chunk may hold; counts tokens by looking up where they begin."""

    def __init__(self, text: str, starts: Sequence[int], max_characters: int) -> None:
        self._text = text
        self._starts = starts
        self._max_characters = max_characters

    def pack(self, pieces: Sequence[Piece], *, budget: int, overlap: int) -> Iterator[list[Piece]]:
        """Runs of pieces, each within the budget, each beginning with the end of the one before as far as allowed."""
        run: list[Piece] = []
        for piece in pieces:
            if run and not self._fits(run[0], piece, budget):
                yield run
                run = self._tail(run, overlap)
                while run and not self._fits(run[0], piece, budget):
                    run = run[1:]
            run = [*run, piece]
        if run:
            yield run

    def _fits(self, first: Piece, last: Piece, budget: int) -> bool:
        return last.end - first.start <= self._max_characters and self._tokens(first.start, last.end) <= budget

    def _tail(self, run: Sequence[Piece], overlap: int) -> list[Piece]:
        """The last pieces that have no more tokens than the overlap, but never all of them."""
        kept: list[Piece] = []
        for piece in reversed(run[1:]):
            if self._tokens(piece.start, run[-1].end) > overlap:
                break
            kept.insert(0, piece)
        return kept

    def _tokens(self, start: int, end: int) -> int:
        return bisect_left(self._starts, end) - bisect_left(self._starts, start)
