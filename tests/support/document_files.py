"""Files as programs write them: PDF, Word, presentations."""

import zipfile
from collections.abc import Sequence
from io import BytesIO

import docx
from matplotlib.backends.backend_pdf import FigureCanvasPdf, PdfPages
from matplotlib.figure import Figure
from pptx import Presentation
from pptx.util import Inches
from pypdf import PdfReader, PdfWriter

TABLE = (("Code", "Meaning"), ("E-1042", "The pump is too hot."), ("E-1043", "The valve is closed."))


def pdf(*pages: str, title: str = "", outline: Sequence[tuple[str, int]] = (), password: str = "") -> bytes:
    """A PDF with a page for each text, whose lines are lines."""
    drawn = BytesIO()
    with PdfPages(drawn) as made:
        for text in pages:
            figure = Figure(figsize=(8, 11))
            FigureCanvasPdf(figure)
            for number, line in enumerate(text.splitlines()):
                figure.text(0.1, 0.9 - 0.03 * number, line, parse_math=False)
            made.savefig(figure)
    writer = PdfWriter(clone_from=PdfReader(drawn))
    if title:
        writer.add_metadata({"/Title": title, "/Author": "Ada", "/ModDate": "D:20260102030405+00'00'"})
    for name, page in outline:
        writer.add_outline_item(title=name, page_number=page)
    if password:
        writer.encrypt(password, algorithm="AES-256")
    written = BytesIO()
    writer.write(written)
    return written.getvalue()


def word() -> bytes:
    """A Word document with headings, a paragraph, a list and a table."""
    document = docx.Document()
    document.core_properties.title = "Pumps"
    document.core_properties.author = "Ada"
    document.add_heading("Pumps", 1)
    document.add_paragraph("A pump moves water from the basin to the tank.")
    document.add_heading("Faults", 2)
    document.add_paragraph("Switch it off first.", style="List Bullet")
    table = document.add_table(rows=0, cols=2)
    for row in TABLE:
        for cell, text in zip(table.add_row().cells, row, strict=True):
            cell.text = text
    written = BytesIO()
    document.save(written)
    return written.getvalue()


def slides() -> bytes:
    """A presentation of two slides: a title with bullets, and a table with notes."""
    presentation = Presentation()
    presentation.core_properties.title = "Pumps"
    first = presentation.slides.add_slide(presentation.slide_layouts[1])
    first.shapes.title.text = "What a pump does"
    first.placeholders[1].text = "It moves water.\nIt needs power."
    second = presentation.slides.add_slide(presentation.slide_layouts[5])
    second.shapes.title.text = "Faults"
    shape = second.shapes.add_table(3, 2, Inches(1), Inches(2), Inches(6), Inches(2))
    for number, row in enumerate(TABLE):
        for place, text in enumerate(row):
            shape.table.cell(number, place).text = text
    second.notes_slide.notes_text_frame.text = "Call the service in both cases."
    written = BytesIO()
    presentation.save(written)
    return written.getvalue()


def bomb(size: int = 300_000_000) -> bytes:
    """A Word document whose text is a bomb: a few hundred kilobytes that unpack to `size` bytes."""
    written = BytesIO()
    with zipfile.ZipFile(BytesIO(word())) as real, zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as made:
        for name in real.namelist():
            if name != "word/document.xml":
                made.writestr(name, real.read(name))
        with made.open("word/document.xml", "w") as member:
            for _ in range(size // 1_000_000):
                member.write(b" " * 1_000_000)
    return written.getvalue()
