"""What becomes a document, what does not, and what of its text is changed."""

import pytest

from slipway_runtime.knowledge.ingestion.documents import make_document
from slipway_runtime.knowledge.ingestion.formats.parsed import Media
from slipway_runtime.knowledge.ingestion.formats.plain import NotText, decode


def test_text_is_kept_as_it_is() -> None:
    assert decode("Grüße\n\n\tTab  und Leerzeichen \n".encode()) == "Grüße\n\n\tTab  und Leerzeichen \n"


def test_nul_bytes_are_dropped_and_offsets_count_without_them() -> None:
    document = make_document(source="s", name="a.txt", content=b"before\0 and\0 after, in a longer sentence")
    assert document.text == "before and after, in a longer sentence"


def test_line_ends_become_newlines_and_the_byte_order_mark_goes() -> None:
    assert decode(b"\xef\xbb\xbfone\r\ntwo\rthree") == "one\ntwo\nthree"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\xff\xfe\x00binary", "not UTF-8"),
        ("text".encode("utf-16"), "not UTF-8"),
        (b"caf\xe9", "not UTF-8"),
        ("plain text".encode("utf-16-le"), "NUL"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "not UTF-8"),
        (bytes(range(1, 30)) * 10, "control characters"),
    ],
)
def test_what_is_no_text_is_refused_with_the_reason(content: bytes, why: str) -> None:
    with pytest.raises(NotText, match=why):
        decode(content)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# The title #\n\ntext", "The title"),
        ("---\ntitle: 'From the front'\n---\n# Heading\n", "From the front"),
        ("---\ntags: [a]\n---\n# Heading\n", "Heading"),
        ("no heading", "name.md"),
        ("", "name.md"),
    ],
)
def test_the_title_is_the_first_that_a_reader_sees(text: str, title: str) -> None:
    assert make_document(source="s", name="name.md", content=text.encode()).title == title


@pytest.mark.parametrize(
    ("front", "metadata"),
    [
        ("---\ntitle: Cats\ntags: [pets]\n---\n", {"title": "Cats", "tags": ["pets"]}),
        ("---\n1: one\n---\n", {"1": "one"}),
        ('+++\ntitle = "Cats"\n[more]\na = 1\n+++\n', {"title": "Cats", "more": {"a": 1}}),
        ("---\n- a list\n---\n", {}),
        ("---\ntitle: 'not closed\n---\n", {}),
        ("---\na: &x [1]\nb: [*x, *x]\n---\n", {}),
        ("---\na: " + "x" * 20_000 + "\n---\n", {}),
        ("---\n\nThis is a paragraph between two breaks.\n\n---\n", {}),
        ("+++\nno = toml = at all\n+++\n", {}),
        ("---\n---\n", {}),
    ],
)
def test_front_matter_is_what_parses_as_a_mapping(front: str, metadata: dict[str, object]) -> None:
    document = make_document(source="s", name="a.md", content=f"{front}text".encode())
    assert document.metadata == metadata
    assert document.text[document.begins :] == ("text" if metadata else f"{front}text"), "everything else is text"


def test_the_hash_follows_the_text() -> None:
    def hash_of(name: str, content: bytes) -> str:
        return make_document(source="s", name=name, content=content).hash

    assert hash_of("a.md", b"a text of some length") == hash_of("b.md", b"a text of\0 some length")
    assert hash_of("a.md", b"a text of some length") != hash_of("a.md", b"another text")


@pytest.mark.parametrize(
    ("name", "media"),
    [
        ("a.md", Media.MARKDOWN),
        ("A.MD", Media.MARKDOWN),
        ("a.txt", Media.PLAIN),
        ("README", Media.PLAIN),
        ("src/a.py", Media.CODE),
        ("table.csv", Media.ROWS),
        ("page.html", Media.MARKDOWN),
    ],
)
def test_what_a_text_is_is_known_by_its_name(name: str, media: Media) -> None:
    assert make_document(source="s", name=name, content=b"one, two").media is media


@pytest.mark.parametrize(
    ("content_type", "media"),
    [
        ("text/markdown; charset=utf-8", Media.MARKDOWN),
        ("text/html", Media.MARKDOWN),
        ("text/plain", Media.CODE),
        ("application/octet-stream", Media.CODE),
        ("something/odd", Media.CODE),
    ],
)
def test_a_content_type_that_says_something_comes_before_the_name(content_type: str, media: Media) -> None:
    assert make_document(source="s", name="a.py", content=b"x = 1", content_type=content_type).media is media


@pytest.mark.parametrize(
    ("text", "media"),
    [
        ("# Title\n\nSee [the page](a.md).\n", Media.MARKDOWN),
        ("Intro\n\n```bash\nmake\n```\n", Media.MARKDOWN),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n", Media.MARKDOWN),
        ("---\ntitle: x\n---\ntext\n", Media.MARKDOWN),
        ("# only this looks like a heading\nthe rest is text\n", Media.PLAIN),
        ("- a list\n- of things\n", Media.PLAIN),
        ("2 * 3 * 4 and [an aside] (in brackets)\n", Media.PLAIN),
    ],
)
def test_a_text_that_is_plainly_markdown_is_read_so(text: str, media: Media) -> None:
    for name in ("notes.txt", "NOTES"):
        assert make_document(source="s", name=name, content=text.encode()).media is media
