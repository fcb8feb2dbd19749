"""Chunks are whole to the model, exact in their offsets, and lose nothing of the document."""

import re
from itertools import chain, pairwise, zip_longest

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slipway_runtime.knowledge.embedding.minilm import MiniLM
from slipway_runtime.knowledge.ingestion.chunking import CHARACTERS_PER_TOKEN, Chunk, Chunker, chunk_text
from slipway_runtime.knowledge.ingestion.documents import Document, make_document
from slipway_runtime.knowledge.pieces import PieceKind


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
    assert all(embedder.count_tokens(chunk_text(chunk)) <= 60 for chunk in chunks)
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
    assert all(embedder.count_tokens(chunk_text(chunk)) <= 254 for chunk in chunks)
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
    *headings, chunk = cutter.chunks(document(text))
    assert pieces(text, [chunk]) == ["And a sentence."]
    assert all(word in repr(headings) for word in ("very", "long", "headings")), "what has no room there is not lost"
    assert embedder.count_tokens(chunk.heading) <= 8


@pytest.mark.parametrize("text", ["", "\n", "---\ntitle: x\n---\n", "<!-- comment -->"])
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
        assert embedder.count_tokens(chunk_text(chunk)) <= 40
        for piece in chunk.pieces:
            quote = stored.text[piece.start : piece.end]
            assert quote.strip()
            assert quote == quote.strip() or piece.kind is PieceKind.CODE


def reads(embedder: MiniLM, text: str) -> list[str]:
    """What a reader is shown of a text, piece by piece."""
    chunks = chunker(embedder).chunks(document(text))
    return [piece.reading(text[piece.start : piece.end]) for chunk in chunks for piece in chunk.pieces]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Read **this** [page](a.md) with `code`\nand care.", ["Read this page with code and care."]),
        ("**Bold**, *light*, and <br/>a<b>b</b>.", ["Bold, light, and ab."]),
        (
            "Let 2 * 3 * 4 and a*b*c be, a < b > c, and `__init__.py`.",
            ["Let 2 * 3 * 4 and abc be, a < b > c, and __init__.py."],
        ),
        ("`kubectl logs <pod>`", ["kubectl logs <pod>"]),
        ("It is __strong__ and _em_ &amp; &copy; 2 \\* 3.", ["It is strong and em & © 2 * 3."]),
        ("See [the guide][g] or [g].\n\n[g]: http://a.b 'A guide'", ["See the guide or g."]),
        ("It holds[^1].\n\n[^1]: Mostly. Not always.", ["It holds.", "Mostly.", "Not always."]),
        ("> [!NOTE]\n> Take care. Really.", ["Note: Take care.", "Really."]),
        ("> one\n> > two", ["one", "two"]),
        ("<details>\n<summary>More</summary>\n\nIt is **here**.\n\n</details>", ["More", "It is here."]),
        ("<div><p>One &lt;b&gt;.</p><p>Two</p></div>", ["One <b>.", "Two"]),
        ("- [ ] do it\n- [x] done", ["do it", "done"]),
        ("![the picture](a.png)", ["the picture"]),
        ("```\n  x = `1`\n```", ["  x = `1`"]),
        ("| Key | Value |\n|---|---|\n| a | `b`  |", ["Key | Value", "Key: a | Value: b"]),
        (
            "<table><tr><th>Key</th><th>Value</th></tr><tr><td>a</td><td><b>b</b></td></tr></table>",
            ["Key | Value", "Key: a | Value: b"],
        ),
    ],
)
def test_pieces_are_shown_as_they_read(embedder: MiniLM, text: str, expected: list[str]) -> None:
    assert reads(embedder, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Only a heading\n", ["Only a heading"]),
        ("# One\n\n## Two\n\ntext", ["text"]),
        ("# One\n\n# Two\n\ntext", ["One", "text"]),
        (f"# {'long ' * 40}\n\ntext", [("long " * 40).strip(), "text"]),
    ],
)
def test_a_heading_that_stands_before_no_text_is_not_lost(embedder: MiniLM, text: str, expected: list[str]) -> None:
    assert reads(embedder, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Die Lieferung kostet ca. 3,5 Mio. Euro im Jahr. Der Vertrag gilt ab dem 3. Mai 2024 in Berlin.",
            2,
        ),
        ("Herr Dr. Müller kommt z. B. morgen in die Werkstatt. Im 19. Jahrhundert war das Haus eine Schule.", 2),
        ("M. Dupont est arrivé hier matin à la gare. Voir aussi p. 12 et art. 5 du code civil français.", 2),
    ],
)
def test_sentences_are_cut_by_the_rules_of_their_language(embedder: MiniLM, text: str, expected: int) -> None:
    assert len(reads(embedder, text)) == expected


CORNERS = [
    "{}", "# {}", "## {} {}", "{}\n===", "- {}\n  {}", "1. {}\n   - {}", "> {}\n> > {}",
    ">>>>>>>>>>>>>>>>>>>>>>>>>>>>>> {}", "    {}", "```\n{}\n```", "~~~ x\n{}", "| {} | {} |\n|---|---|\n| {} | {} |",
    "| {} |\n|-|\n| `{}\\|{}` | {} |", "<div>\n{}\n</div>", "<p>{} <b>{}</b>",
    "<details><summary>{}</summary>\n\n{}\n</details>", "<table><tr><td>{}<td>{}</table>", "{} < span {}",
    "<pre>\n{}\n\n{}</pre>", "[{}](http://a.b) ![{}](x)", "[{}][r]\n\n[r]: http://a.b", "{}[^1]\n\n[^1]: {}\n    {}",
    "[^{}]: {}", "**{}** _{}_ ~~{}~~ `{}`", "---", "---\n{}", "+++\n{} = 1\n+++", "---\n{}\n---", "***",
    "{}  \n{}\\\n{}", "&amp;{}&lt; \\*{}\\*", "$${}$$", ":::{}\n{}\n:::", "- [ ] {}",
    "> [!NOTE] {}\n> {}", "> [!TIP]\n> {}", "* * *\n\t{}", "term\n: {}", "<!-- x --> {}", "\\[{}\\]", "{{% {} %}}",
]  # fmt: skip


@st.composite
def corners(draw: st.DrawFn) -> str:
    """Odd pieces of Markdown one after the other, every word of them another one."""
    parts = draw(st.lists(st.sampled_from(CORNERS), min_size=1, max_size=8))
    number = draw(st.integers(0, 10**6))
    filled: list[str] = []
    for part in parts:
        holes = part.count("{}")
        words = (f"w{number + each}x" for each in range(holes))
        filled.append("".join(chain.from_iterable(zip_longest(part.split("{}"), words, fillvalue=""))))
        number += holes
    return draw(st.sampled_from(["\n\n", "\n"])).join(filled)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=corners())
def test_every_word_of_a_document_is_in_a_chunk_or_its_metadata(embedder: MiniLM, text: str) -> None:
    stored = document(text)
    chunks = chunker(embedder).chunks(stored)
    found = " ".join([*(chunk_text(chunk) for chunk in chunks), repr(stored.metadata)])
    labels = set(re.findall(r"\[\^(w\d+x)\]:", text))
    assert set(re.findall(r"w\d+x", text)) - labels - set(re.findall(r"w\d+x", found)) == set(), text


def test_a_table_that_is_cut_has_its_header_before_each_part(embedder: MiniLM) -> None:
    rows = "".join(f"| E-{number} | This is what the fault number {number} means. |\n" for number in range(20))
    text = f"# Faults\n\n| Code | Meaning |\n|---|---|\n{rows}"
    chunks = chunker(embedder).chunks(document(text))
    assert len(chunks) > 3
    assert [chunk_text(chunk).startswith("Faults\nCode | Meaning\n") for chunk in chunks[1:]] == [True] * (
        len(chunks) - 1
    )
    assert all(embedder.count_tokens(chunk_text(chunk)) <= 60 for chunk in chunks)


def test_a_table_that_fits_a_chunk_is_not_cut(embedder: MiniLM) -> None:
    table = "| Code | Meaning |\n|---|---|\n| E-1 | The pump is hot. |\n| E-2 | The valve is shut. |"
    text = f"{SENTENCES[:200]}\n\n{table}\n"
    chunks = chunker(embedder, overlap=0).chunks(document(text))
    assert text[chunks[-1].start : chunks[-1].end] == table.strip("| ")


def test_a_long_definition_is_cut_under_its_first_line(embedder: MiniLM) -> None:
    body = "".join(f"    step_{number}(pump)\n" for number in range(40))
    text = f"import pumps\n\n\ndef stop(pump):\n{body}\n\ndef start(pump):\n    pump.power = 1\n"
    chunks = chunker(embedder).chunks(document(text, "tools/pumps.py"))
    assert {chunk.heading for chunk in chunks} == {"tools/pumps.py", "tools/pumps.py > def stop(pump):"}
    assert all(piece.kind is PieceKind.CODE for chunk in chunks for piece in chunk.pieces)
