"""Documents to chunks: pieces that the embedding model reads to their end, and that a citation can point into.

A chunk is a run of whole sentences (or code, or table rows) under one heading, bounded in tokens as the model's own
tokenizer counts them, with some overlap to the chunk before. It is on one page. A table or some code stays whole where
it fits; where it is cut, its first row stands before each part that is embedded. A record of a table is a chunk of its
own, since filters choose among records. A heading stands before the text below it; one that no chunk has so is a chunk
itself. Offsets are characters of the stored text, always: what a chunk or a sentence says can be looked up and
compared. What is embedded and shown is what a reader sees there.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from slipway_runtime.knowledge.embedding.embedder import Tokens
from slipway_runtime.knowledge.ingestion.block import Block
from slipway_runtime.knowledge.ingestion.blocks import document_blocks
from slipway_runtime.knowledge.ingestion.documents import PROSE, Document
from slipway_runtime.knowledge.ingestion.language import language_of
from slipway_runtime.knowledge.ingestion.rendered import Rendered
from slipway_runtime.knowledge.ingestion.sentences import split_sentences
from slipway_runtime.knowledge.pieces import Piece, PieceKind, collapsed
from slipway_runtime.knowledge.vectors.filters import Scalar

CHUNKER = "structure-3"
"""Name and version of these rules; part of the fingerprint, so raise it when chunks come out differently."""
PIECE_CHARACTERS = 800
"""A longer sentence is cut: it would make a bad quote, and a token can hide thousands of unbroken characters."""
CHARACTERS_PER_TOKEN = 12
"""A chunk has at most this many characters for each token it may have, for the same reason."""
HEADING_SHARE = 4
"""The heading takes at most one part in this many of a chunk's tokens."""
HEADER_SHARE = 16
"""A table's first row is repeated if it takes at most one part in this many. A longer one, such as that of a reference
with five columns, makes parts of tables more like each other than like what they say."""
FILLED_SHARE = 4
"""A chunk with more than one part in this many of its tokens is not lengthened by the beginning of a table."""


@dataclass(frozen=True)
class Chunk:
    """The unit that is searched for."""

    ordinal: int
    heading: str
    start: int
    end: int
    pieces: tuple[Piece, ...]
    words: tuple[str, ...]
    """What of each piece is embedded."""
    header: str = ""
    """The first row of the table that it is a later part of."""
    page: int = 0
    """Number of its page or slide; 0 in a document without."""
    columns: Mapping[str, Scalar] = field(default_factory=dict)
    """What the columns of its record say."""


@dataclass(frozen=True)
class Part:
    """A piece with what it is a part of."""

    piece: Piece
    words: str
    """What of it is embedded."""
    block: Block
    header: str = ""
    header_tokens: int = 0
    """What it takes to stand before it, if a chunk begins with it."""

    @property
    def begins_unit(self) -> bool:
        """Whether a table or some code begins here."""
        start, end = self.block.unit
        return start < end and self.piece.start == start


def chunk_text(chunk: Chunk) -> str:
    """What of a chunk is embedded: the heading, a table's first row, then the words."""
    words = collapsed(" ".join(chunk.words))
    return "\n".join(part for part in (chunk.heading, chunk.header, words) if part)


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
        language = language_of(text[document.begins :]) if document.media in PROSE else "en"
        found: list[Chunk] = []
        blocks = list(document_blocks(document))
        heads = {heading: self._bounded(heading) for heading in {block.heading for block in blocks}}
        kept = self._kept(blocks, heads)
        for (heading, page, row), group in groupby(kept, key=lambda b: (b.heading, b.page, b.row)):
            head = heads[heading] if heading in heads else self._bounded(heading)
            budget = self._max_tokens - (self._tokens.count_tokens(head) if head else 0)
            columns = document.rows[row] if 0 <= row < len(document.rows) else {}
            parts = self._parts(text, group, budget, language)
            for run in packer.pack(parts, budget=budget, overlap=self._overlap):
                made = Chunk(0, head, 0, 0, (), (), page=page, columns=columns)
                found.extend(self._fitting(made, run))
        return [replace(chunk, ordinal=ordinal) for ordinal, chunk in enumerate(found)]

    @staticmethod
    def _kept(blocks: Sequence[Block], heads: Mapping[str, str]) -> Iterator[Block]:
        """The blocks that become chunks: of the headings, those that are before no text, or not whole.

        Args:
            heads: what chunks have of each path of headings.
        """
        before_text = {part for block in blocks if not block.title for part in heads[block.heading].split(" > ")}
        for block in blocks:
            if not block.title:
                yield block
            elif block.title not in before_text or collapsed(block.rendered.text) != block.title:
                above, parted, _ = block.heading.rpartition(" > ")
                yield replace(block, heading=above if parted else "")

    def _bounded(self, heading: str) -> str:
        """The heading's path, from the left shortened until it leaves room for text."""
        while heading and self._tokens.count_tokens(heading) > self._max_tokens // HEADING_SHARE:
            _, parted, rest = heading.partition(" > ")
            heading = rest if parted else heading[: len(heading) // 2].strip()
        return heading

    def _parts(self, text: str, group: Iterable[Block], budget: int, language: str) -> list[Part]:
        """The pieces of blocks that belong together."""
        parts: list[Part] = []
        header, tokens = "", 0
        for block in group:
            if block.header != header:
                header, tokens = block.header, self._tokens.count_tokens(block.header) if block.header else 0
            repeated = tokens <= self._max_tokens // HEADER_SHARE
            for start, end in self._pieces(block, budget - tokens if repeated else budget, language):
                piece = _piece(text, block, start, end)
                first = not repeated or piece.start == block.unit[0]
                words = block.rendered.text[start:end]
                parts.append(Part(piece, words, block) if first else Part(piece, words, block, header, tokens))
        return parts

    def _pieces(self, block: Block, budget: int, language: str) -> Iterator[tuple[int, int]]:
        """What a block is made of, as spans of what it reads; each is small enough to be a chunk alone."""
        rendered = block.rendered
        spans: Iterable[tuple[int, int]] = [(0, len(rendered.text))]
        if block.kind is PieceKind.SENTENCE:
            spans = split_sentences(rendered.text, language, code=rendered.code)
        for start, end in spans:
            yield from self._bounded_pieces(rendered, start, end, budget)

    def _bounded_pieces(self, rendered: Rendered, start: int, end: int, budget: int) -> Iterator[tuple[int, int]]:
        """The piece itself if it is small enough, else its parts."""
        text = rendered.text
        if end - start <= PIECE_CHARACTERS and self._tokens.count_tokens(text[start:end]) <= budget:
            yield start, end
            return
        cut = cut_near_middle(text, start, end)
        for first, last in ((start, cut), (cut, end)):
            words = text[first:last]
            if words.strip():
                begin = first + len(words) - len(words.lstrip())
                yield from self._bounded_pieces(rendered, begin, first + len(words.rstrip()), budget)

    def _fitting(self, made: Chunk, run: Sequence[Part]) -> Iterator[Chunk]:
        """The run as a chunk, halved until the model reads it whole: cut words can have more tokens than uncut ones."""
        pieces = tuple(part.piece for part in run)
        words = tuple(part.words for part in run)
        chunk = replace(
            made, start=pieces[0].start, end=pieces[-1].end, pieces=pieces, words=words, header=run[0].header
        )
        if len(run) == 1 or self._tokens.count_tokens(chunk_text(chunk)) <= self._max_tokens:
            yield chunk
            return
        middle = len(run) // 2
        yield from self._fitting(made, run[:middle])
        yield from self._fitting(made, run[middle:])


def _piece(text: str, block: Block, start: int, end: int) -> Piece:
    """A part of a block, with how it is shown where that is not what the text has."""
    whole = start == 0 and end == len(block.rendered.text)
    words = block.rendered.text[start:end]
    shown = words if block.kind is PieceKind.CODE else block.shown if whole and block.shown else collapsed(words)
    piece = Piece(block.kind, *block.rendered.place(start, end))
    return piece if piece.reading(text[piece.start : piece.end]) == shown else replace(piece, shown=shown)


def cut_near_middle(text: str, start: int, end: int) -> int:
    """Where to cut a piece that is too long: near its middle, at a line end, else at white space, else there."""
    middle = (start + end) // 2
    reach = (end - start) // 4
    for gap in ("\n", " "):
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

    def pack(self, parts: Sequence[Part], *, budget: int, overlap: int) -> Iterator[list[Part]]:
        """Runs of parts, each within the budget, each beginning with the end of the one before as far as allowed.

        A table or some code that fits a chunk begins another one rather than being cut, unless little stands before it.
        """
        run: list[Part] = []
        for part in parts:
            end = part.piece.end
            if part.begins_unit and self._fits(part, part.block.unit[1], budget) and self._is_filled(run, budget):
                end = part.block.unit[1]
            if run and not self._fits(run[0], end, budget):
                yield run
                run = self._tail(run, overlap)
                while run and not self._fits(run[0], end, budget):
                    run = run[1:]
            run = [*run, part]
        if run:
            yield run

    def _fits(self, first: Part, end: int, budget: int) -> bool:
        start = first.piece.start
        return end - start <= self._max_characters and self._tokens(start, end) + first.header_tokens <= budget

    def _is_filled(self, run: Sequence[Part], budget: int) -> bool:
        return bool(run) and self._tokens(run[0].piece.start, run[-1].piece.end) > budget // FILLED_SHARE

    def _tail(self, run: Sequence[Part], overlap: int) -> list[Part]:
        """The last parts that have no more tokens than the overlap, but never all of them."""
        kept: list[Part] = []
        for part in reversed(run[1:]):
            if self._tokens(part.piece.start, run[-1].piece.end) > overlap:
                break
            kept.insert(0, part)
        return kept

    def _tokens(self, start: int, end: int) -> int:
        return bisect_left(self._starts, end) - bisect_left(self._starts, start)
