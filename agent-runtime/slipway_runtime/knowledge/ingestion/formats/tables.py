"""CSV to records: a line each, in which every value has the name of its column."""

import csv
import re
from collections.abc import Sequence
from io import StringIO

from slipway_runtime.knowledge.ingestion.formats.parsed import TEXT_MAX, Media, Parsed, Unreadable
from slipway_runtime.knowledge.vectors.filters import Scalar

ROWS_MAX = 50_000
COLUMNS_MAX = 200
CELL_MAX = 1_000_000
WHOLE = re.compile(r"-?(0|[1-9]\d{0,14})")
DECIMAL = re.compile(r"-?\d{1,12}\.\d{1,12}")
TRUTH = {"true": True, "false": False}


def read_csv(text: str) -> Parsed:
    """A table whose first row names its columns. Empty cells and empty rows are left out.

    Raises:
        Unreadable: if it is no table, or too large.
    """
    csv.field_size_limit(CELL_MAX)
    try:
        reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter_of(text))
        rows = [row for row in reader if any(map(str.strip, row))]
    except csv.Error as error:
        raise Unreadable(f"not a CSV: {error}; check its quotes") from error
    if not rows:
        return Parsed(text="", media=Media.ROWS)
    if len(rows) > ROWS_MAX or len(rows[0]) > COLUMNS_MAX:
        raise Unreadable(f"a CSV of more than {ROWS_MAX:,} rows or {COLUMNS_MAX} columns; split it")
    names = [_words(name) for name in rows[0]]
    lines = [_record(names, row) for row in rows[1:]]
    if sum(map(len, lines)) > TEXT_MAX:
        raise Unreadable(f"a CSV with more than {TEXT_MAX:,} characters; split it")
    attributes = tuple(
        {name: value_of(cell) for name, cell in zip(names, row, strict=False) if name and cell.strip()}
        for row in rows[1:]
    )
    return Parsed(text="".join(f"{line}\n" for line in lines), media=Media.ROWS, rows=attributes)


def value_of(cell: str) -> Scalar:
    """A cell as what it is: a number or truth value only if writing it again gives the same, so `007` stays text."""
    cell = _words(cell)
    if WHOLE.fullmatch(cell):
        return int(cell)
    if DECIMAL.fullmatch(cell):
        return float(cell)
    return TRUTH.get(cell.lower(), cell)


def delimiter_of(text: str) -> str:
    """What parts the cells: whichever the first line has most of."""
    first = text.lstrip("\n").partition("\n")[0]
    return max(",;\t|", key=first.count)


def _record(names: Sequence[str], row: Sequence[str]) -> str:
    """`Name: value; Name: value`; cells beyond the named columns come without a name."""
    cells = [(names[place] if place < len(names) else "", _words(cell)) for place, cell in enumerate(row)]
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in cells if cell)


def _words(cell: str) -> str:
    return " ".join(cell.split())
