"""What becomes a document, what does not, and what of its text is changed."""

from pathlib import Path

import pytest

from slipway_runtime.knowledge.documents import (
    Contents,
    NotText,
    decode,
    is_markdown,
    joined,
    make_document,
    read_folder,
    read_items,
    title_of,
)


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
    assert title_of(text, "name.md") == title


def test_a_failing_document_does_not_keep_the_others_out() -> None:
    contents = read_items("docs", {"b.md": b"fine", "a.bin": b"\xff", "c.txt": b"fine too"})
    assert [document.name for document in contents.documents] == ["b.md", "c.txt"]
    assert [str(failure).partition(":")[0] for failure in contents.failures] == ["docs/a.bin"]


def test_a_mounted_config_map_is_read_without_its_links(tmp_path: Path) -> None:
    real = tmp_path / "..2026_01_01"
    real.mkdir()
    (real / "a.md").write_text("text")
    (tmp_path / "..data").symlink_to(real)
    (tmp_path / "a.md").symlink_to(tmp_path / "..data" / "a.md")
    assert [document.name for document in read_folder("docs", tmp_path).documents] == ["a.md"]


def test_a_folder_that_is_not_mounted_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_folder("docs", tmp_path / "missing")


def test_sources_are_joined_and_may_use_the_same_names() -> None:
    contents = joined(read_items(source, {"same.md": b"text"}) for source in ("one", "two"))
    assert [(document.source, document.name) for document in contents.documents] == [
        ("one", "same.md"),
        ("two", "same.md"),
    ]
    assert joined([]) == Contents()


def test_the_hash_follows_the_text() -> None:
    def hash_of(name: str, content: bytes) -> str:
        return make_document(source="s", name=name, content=content).hash

    assert hash_of("a.md", b"a text of some length") == hash_of("b.md", b"a text of\0 some length")
    assert hash_of("a.md", b"a text of some length") != hash_of("a.md", b"another text")


@pytest.mark.parametrize(("name", "markdown"), [("a.md", True), ("A.MD", True), ("a.txt", False), ("README", False)])
def test_markdown_is_told_by_the_name(name: str, markdown: bool) -> None:
    assert is_markdown(name) is markdown
