"""Chunks are whole to the model, exact in their offsets, and lose nothing of the document."""

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slipway_runtime.knowledge.embedding.minilm import MiniLM
from slipway_runtime.knowledge.ingestion.chunking import CHARACTERS_PER_TOKEN, Chunk, Chunker, chunk_text
from slipway_runtime.knowledge.ingestion.documents import Document, make_document
from slipway_runtime.knowledge.pieces import PieceKind, readable


def document(text: str, name: str = "a.md") -> Document:
    return make_document(source="s", name=name, content=text.encode())


def chunker(embedder: MiniLM, *, max_tokens: int = 60, overlap: int = 12) -> Chunker:
    return Chunker(embedder, max_tokens=max_tokens, overlap=overlap)


def pieces(text: str, chunks: list[Chunk]) -> list[str]:
    return [text[piece.start : piece.end] for chunk in chunks for piece in chunk.pieces]


SENTENCES = "".join(f"This is sentence number {number} of the text. " for number in range(60))


def test_chunks_hold_whole_sentences_within_the_limit(embedder: MiniLM) -> None:
    cutter = chunker(embedder, max_tokens=60)
    text = f"# Heading\n\n{SENTENCES}"
    chunks = cutter.chunks(document(text))
    assert len(chunks) > 5
    assert all(embedder.count_tokens(chunk_text(text, chunk)) <= 60 for chunk in chunks)
    assert all(piece.endswith("of the text.") for piece in pieces(text, chunks))
    assert {chunk.heading for chunk in chunks} == {"Heading"}


@pytest.mark.proves("VectorIndex.chunking.maxTokens")
def test_max_tokens_bounds_chunks(embedder: MiniLM) -> None:
    small, large = (len(chunker(embedder, max_tokens=size).chunks(document(SENTENCES))) for size in (40, 200))
    assert small > 4 * large


@pytest.mark.proves("VectorIndex.chunking.overlap")
def test_overlap_repeats_the_end_of_the_chunk_before(embedder: MiniLM) -> None:
    with_overlap = chunker(embedder, overlap=25).chunks(document(SENTENCES))
    without = chunker(embedder, overlap=0).chunks(document(SENTENCES))
    assert all(later.start < one.end for one, later in pairwise(with_overlap))
    assert all(later.start >= one.end for one, later in pairwise(without))


def test_chunks_do_not_cross_headings(embedder: MiniLM) -> None:
    text = "# A\n\nAbout a.\n\n# B\n\nAbout b.\n"
    chunks = chunker(embedder).chunks(document(text))
    assert [(chunk.heading, pieces(text, [chunk])) for chunk in chunks] == [("A", ["About a."]), ("B", ["About b."])]


def test_ordinals_count_from_zero(embedder: MiniLM) -> None:
    chunks = chunker(embedder).chunks(document(SENTENCES))
    assert [chunk.ordinal for chunk in chunks] == list(range(len(chunks)))


@pytest.mark.parametrize(
    "text",
    [
        "x" * 100_000,
        "word " * 20_000,
        "ab1,!" * 20_000,
        "日本語のテキスト" * 12_500,
        "🙂" * 50_000,
        "a." * 50_000,
    ],
)
@pytest.mark.parametrize("name", ["a.md", "a.txt"])
def test_a_line_of_100000_characters_becomes_chunks_that_the_model_reads(
    embedder: MiniLM, text: str, name: str
) -> None:
    cutter = chunker(embedder, max_tokens=200, overlap=20)
    chunks = cutter.chunks(document(text, name))
    assert all(embedder.count_tokens(chunk_text(text, chunk)) <= 254 for chunk in chunks)
    assert max(chunk.end - chunk.start for chunk in chunks) <= 200 * CHARACTERS_PER_TOKEN
    covered = sorted((piece.start, piece.end) for chunk in chunks for piece in chunk.pieces)
    end = 0
    for start, stop in covered:
        assert not text[end:start].strip()
        end = max(end, stop)
    assert not text[end:].strip()


def test_a_heading_of_any_length_leaves_room_for_text(embedder: MiniLM) -> None:
    text = "# " + "very " * 20 + "\n\n## " + "long " * 20 + "\n\n### " + "headings " * 12 + "\n\nAnd a sentence.\n"
    cutter = chunker(embedder, max_tokens=32, overlap=0)
    [chunk] = cutter.chunks(document(text))
    assert pieces(text, [chunk]) == ["And a sentence."]
    assert embedder.count_tokens(chunk.heading) <= 8


@pytest.mark.parametrize("text", ["", "\n", "# Only a heading\n", "---\ntitle: x\n---\n", "<!-- comment -->"])
def test_a_document_without_words_has_no_chunks(embedder: MiniLM, text: str) -> None:
    assert chunker(embedder).chunks(document(text)) == []


MARKDOWN = st.lists(
    st.sampled_from(
        [
            "# A\n",
            "## B b\n",
            "A sentence. ",
            "Another one!\n",
            "\n",
            "- item\n",
            "```\ncode()\n```\n",
            "| a | b |\n",
            "|---|---|\n",
            "| 1 | 2 |\n",
            "> quote\n",
            "ünïcödé 🙂 ",
            "x" * 300,
            "[link](http://a.b/c) ",
            "`code` ",
            "1. one\n",
        ]
    ),
    max_size=40,
).map("".join)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=MARKDOWN)
def test_offsets_are_exact_whatever_the_document(embedder: MiniLM, text: str) -> None:
    stored = document(text)
    cutter = chunker(embedder, max_tokens=40, overlap=10)
    for chunk in cutter.chunks(stored):
        assert chunk.start == chunk.pieces[0].start
        assert chunk.end == chunk.pieces[-1].end
        assert embedder.count_tokens(chunk_text(stored.text, chunk)) <= 40
        for piece in chunk.pieces:
            quote = stored.text[piece.start : piece.end]
            assert quote.strip()
            assert quote == quote.strip() or piece.kind is PieceKind.CODE


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("Read **this** [page](a.md) with `code`\nand care.", PieceKind.SENTENCE, "Read this page with code and care."),
        ("**Bold**, *light*, and <br/>a<b>b</b>.", PieceKind.SENTENCE, "Bold, light, and ab."),
        (
            "Let 2 * 3 * 4 and a*b*c be, a < b > c, and `__init__.py`.",
            PieceKind.SENTENCE,
            "Let 2 * 3 * 4 and a*b*c be, a < b > c, and __init__.py.",
        ),
        ("`kubectl logs <pod>`", PieceKind.SENTENCE, "kubectl logs <pod>"),
        ("| a | `b`  |", PieceKind.ROW, "a | b"),
        ("  indented\n\tcode `x`", PieceKind.CODE, "  indented\n\tcode `x`"),
    ],
)
def test_quotes_are_shown_without_markup(text: str, kind: PieceKind, expected: str) -> None:
    assert readable(text, kind) == expected


def test_a_table_that_is_cut_has_its_header_before_each_part(embedder: MiniLM) -> None:
    rows = "".join(f"| E-{number} | This is what the fault number {number} means. |\n" for number in range(20))
    text = f"# Faults\n\n| Code | Meaning |\n|---|---|\n{rows}"
    chunks = chunker(embedder).chunks(document(text))
    assert len(chunks) > 3
    assert [chunk_text(text, chunk).startswith("Faults\nCode | Meaning\n") for chunk in chunks[1:]] == [True] * (
        len(chunks) - 1
    )
    assert all(embedder.count_tokens(chunk_text(text, chunk)) <= 60 for chunk in chunks)


def test_a_table_that_fits_a_chunk_is_not_cut(embedder: MiniLM) -> None:
    table = "| Code | Meaning |\n|---|---|\n| E-1 | The pump is hot. |\n| E-2 | The valve is shut. |"
    text = f"{SENTENCES[:200]}\n\n{table}\n"
    chunks = chunker(embedder, overlap=0).chunks(document(text))
    assert text[chunks[-1].start : chunks[-1].end] == table


def test_a_long_definition_is_cut_under_its_first_line(embedder: MiniLM) -> None:
    body = "".join(f"    step_{number}(pump)\n" for number in range(40))
    text = f"import pumps\n\n\ndef stop(pump):\n{body}\n\ndef start(pump):\n    pump.power = 1\n"
    chunks = chunker(embedder).chunks(document(text, "tools/pumps.py"))
    assert {chunk.heading for chunk in chunks} == {"tools/pumps.py", "tools/pumps.py > def stop(pump):"}
    assert all(piece.kind is PieceKind.CODE for chunk in chunks for piece in chunk.pieces)
