"""Whether a UNIX cron expression can ever fire: five fields, each in its range.

Harness takes UNIX expressions of five fields, evaluated in UTC (harness/developer-hub,
docs/platform/triggers/schedule-pipelines-using-cron-triggers.md). It takes QUARTZ ones too, which we do not use.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
PART = re.compile(r"(?:(?P<all>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[0-9]+))?")


@dataclass(frozen=True)
class Field:
    """One of the five."""

    name: str
    lowest: int
    highest: int
    words: tuple[str, ...] = ()
    """Names of the numbers from the lowest on."""


FIELDS = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of the month", 1, 31),
    Field("month", 1, 12, MONTHS),
    Field("day of the week", 0, 7, WEEKDAYS),  # 0 and 7 are both Sunday
)


def complaints(expression: str) -> Iterator[str]:
    """What is wrong with an expression such as `0 3 * * *`, and what to write; nothing if it can fire."""
    texts = expression.split()
    if len(texts) != len(FIELDS):
        names = ", ".join(field.name for field in FIELDS)
        yield f"{expression!r} has {len(texts)} fields; write these five: {names}"
        return
    read = [_numbers(text, field) for text, field in zip(texts, FIELDS, strict=True)]
    yield from (found for found in read if isinstance(found, str))
    values = [found for found in read if not isinstance(found, str)]
    if len(values) < len(FIELDS) or texts[4] != "*":  # with a day of the week given, either of the two days fires
        return
    if all(day > LONGEST[month - 1] for day in values[2] for month in values[3]):
        yield f"{expression!r} never fires: no such month has such a day; correct one of them"


def _numbers(text: str, field: Field) -> set[int] | str:
    """The numbers that a field stands for, or what is wrong with it."""
    found: set[int] = set()
    for part in text.split(","):
        match = PART.fullmatch(part)
        first, last = _ends(match, field) if match else (None, None)
        step = int(match["step"] or 1) if match else 1
        if first is None or last is None or first > last or step == 0 or (match and match["step"] and first == last):
            names = f" or {field.words[0]} to {field.words[-1]}" if field.words else ""
            form = f"write *, or numbers from {field.lowest} to {field.highest}{names}, as 1, 1-5, 1,3 or */2"
            return f"{part!r} is no {field.name}; {form}"
        found.update(range(first, last + 1, step))
    return found


def _ends(match: re.Match[str], field: Field) -> tuple[int | None, int | None]:
    if match["all"]:
        return field.lowest, field.highest
    first = _number(match["first"], field)
    return first, _number(match["last"], field) if match["last"] else first


def _number(word: str, field: Field) -> int | None:
    if word.upper() in field.words:
        return field.lowest + field.words.index(word.upper())
    number = int(word) if word.isascii() and word.isdigit() else -1
    return number if field.lowest <= number <= field.highest else None
