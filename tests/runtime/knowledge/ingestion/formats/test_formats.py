"""What is read of files as programs write them, and why others are not."""

import pytest

from slipway_runtime.knowledge.ingestion.documents import Document, make_document
from slipway_runtime.knowledge.ingestion.formats.parsed import Media, Unreadable
from tests.support.document_files import bomb, pdf, slides, word

PAGE = b"""<!doctype html><html><head><title>Pumps</title><meta name="author" content="Ada">
<style>p { color: red }</style></head><body><nav><a href="/">Home</a></nav>
<main><h1>Pumps</h1><p>A pump <b>moves</b> water &amp; air.</p><script>alert(1)</script>
<h2>Faults</h2><table><tr><th>Code</th><th>Meaning</th></tr><tr><td>E-1042</td><td>Too hot</td></tr></table>
<pre><code>pump --stop</code></pre></main></body></html>"""


def read(name: str, content: bytes, content_type: str = "") -> Document:
    return make_document(source="docs", name=name, content=content, content_type=content_type)


def test_a_page_becomes_markdown_of_what_a_reader_sees() -> None:
    page = read("pumps.html", PAGE)
    assert page.text == (
        "# Pumps\n\nA pump **moves** water & air.\n\n## Faults\n\n"
        "| Code | Meaning |\n| --- | --- |\n| E-1042 | Too hot |\n\n```\npump --stop\n```\n"
    )
    assert (page.title, page.media, page.metadata["author"]) == ("Pumps", Media.MARKDOWN, "Ada")


def test_a_page_in_another_encoding_is_read_by_what_it_says() -> None:
    page = read("a.html", '<meta charset="iso-8859-1"><p>Grüße aus Köln</p>'.encode("latin-1"))
    assert page.text == "Grüße aus Köln\n"


def test_a_pdf_keeps_its_pages_and_its_outline() -> None:
    content = pdf(
        "Pumps\nA pump moves water.\nFaults\nStop it first.", "More on faults.", title="All pumps",
        outline=[("Pumps", 0), ("Faults", 0)],
    )  # fmt: skip
    found = read("pumps.pdf", content)
    assert found.text == "Pumps\nA pump moves water.\nFaults\nStop it first.\n\nMore on faults.\n"
    assert [(found.text[start:][:5], number) for start, number in found.pages] == [("Pumps", 1), ("More ", 2)]
    assert [(found.text[start:][:6], title) for start, title in found.headings] == [
        ("Pumps\n", "Pumps"),
        ("Faults", "Faults"),
    ]
    assert found.title == "All pumps"
    assert found.metadata == {"title": "All pumps", "author": "Ada", "modified": "2026-01-02T03:04:05+00:00"}


def test_a_word_document_becomes_markdown_with_its_properties() -> None:
    found = read("pumps.docx", word())
    assert found.text.startswith("# Pumps\n\nA pump moves water from the basin to the tank.\n\n## Faults\n\n- Switch")
    assert "| E-1042 | The pump is too hot. |" in found.text
    assert (found.media, found.title, found.metadata["author"]) == (Media.MARKDOWN, "Pumps", "Ada")


def test_slides_have_their_titles_tables_and_notes() -> None:
    found = read("pumps.pptx", slides())
    assert found.text == (
        "# What a pump does\n\n- It moves water.\n- It needs power.\n\n# Faults\n\n| Code | Meaning |\n| --- | --- |\n"
        "| E-1042 | The pump is too hot. |\n| E-1043 | The valve is closed. |\n\n- Call the service in both cases.\n\n"
    )
    assert [(found.text[start:][:5], number) for start, number in found.pages] == [("# Wha", 1), ("# Fau", 2)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_rows_of_a_csv_have_the_names_of_their_columns(delimiter: str) -> None:
    rows = [["Code", "Meaning", "Hours", "Open"], ["E-1042", '"Pump, hot"', "12", "true"], ["007", "", "1.5", ""], []]
    found = read("faults.csv", "\r\n".join(delimiter.join(row) for row in rows).encode())
    assert found.text == "Code: E-1042; Meaning: Pump, hot; Hours: 12; Open: true\nCode: 007; Hours: 1.5\n"
    assert found.rows == (
        {"Code": "E-1042", "Meaning": "Pump, hot", "Hours": 12, "Open": True},
        {"Code": "007", "Hours": 1.5},
    )


TRUNCATED = pdf("A pump moves water.")[:-2000]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.pdf", pdf("secret", password="secret"), "an encrypted PDF; remove its password"),
        ("a.pdf", TRUNCATED, "a truncated PDF"),
        ("a.pdf", b"%PDF-1.7\n" + b"x" * 100 + b"\n%%EOF\n", "a damaged or truncated PDF"),
        ("a.pdf", pdf(""), "a PDF without text"),
        ("a.pdf", b"<html>", "named like a PDF but not one"),
        ("a.docx", word()[:-100], "a damaged or truncated DOCX"),
        ("a.docx", slides(), "a damaged DOCX"),
        ("a.docx", bomb(), "a DOCX that unpacks to 30.,...,... bytes"),
        ("a.docx", bomb(50_000_000), "a DOCX that unpacks to"),
        ("a.pptx", word(), "a damaged PPTX"),
        ("a.doc", b"\xd0\xcf\x11\xe0" + b"\0" * 600, "encrypted or of an old format"),
        ("a.zip", b"PK\x03\x04" + b"\0" * 100, "an archive"),
        ("a.txt", b"x" * (20 * 1024 * 1024 + 1), "larger than 20 MiB"),
        ("a.csv", b"a,b\n" * 50_001, "a CSV of more than 50,000 rows"),
        ("a.csv", b'a\n"' + b"x" * 1_000_001 + b'"', "not a CSV: field larger"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_the_reason(name: str, content: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        read(name, content)


def test_a_pdf_is_known_by_its_first_bytes_whatever_its_name() -> None:
    assert read("export", pdf("A pump moves water."), "text/plain").text == "A pump moves water.\n"


@pytest.mark.parametrize("name", ["../../etc/passwd.md", "a\nb.md", "日本語 & 100 %.md", ".md", "x" * 300])
def test_names_with_odd_characters_are_names(name: str) -> None:
    assert read(name, b"A sentence.").name == name
