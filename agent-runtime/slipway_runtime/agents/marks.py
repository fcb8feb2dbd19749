"""A text of a model as sentences, and the marks in it that cite passages by their numbers."""

import re
from collections.abc import Sequence

from slipway_runtime.knowledge.ingestion.sentences import ends

MARK = re.compile(r"\s*[\[【]\^?(\d{1,4}(?:\s*,\s*\d{1,4})*)[\]】]")
"""`[1]`, and what models write in its place: `[1, 2]`, `[^1]`, `【1】`."""
CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
BULLET = re.compile(r"\s*(?:[-*+]|\d{1,3}[.)])[ \t]+")
MARKS_AHEAD = re.compile(rf"(?:{MARK.pattern})+[.!?]?")
FENCE = "```"
CODE = re.compile(r"(?<!`)`(?!`)[^`\n]+`(?!`)|\]\([^)\s]*\)")
"""Code and addresses of links: full stops in them end no sentence."""


def split(text: str, *, last: bool) -> tuple[list[str], str]:
    """The whole sentences at the beginning of a text that still grows, and the rest.

    Lines end sentences too, and code between fences is one. White space and marks after a sentence belong to it.

    Args:
        last: whether nothing follows: the rest is a sentence then.
    """
    whole: list[str] = []
    while text and (end := _first_end(text, last=last)):
        whole.append(text[:end])
        text = text[end:]
    if last and text:
        whole.append(text)
        text = ""
    return whole, text


def without_marks(text: str, given: Sequence[int]) -> tuple[str, list[int]]:
    """A text without its marks, and the numbers that they name.

    A bracket is a mark if it has a number that was given, or one number alone, which the model made up. In code, and
    with other lists, it is text.
    """
    code = [match.span() for match in CODE.finditer(text)]
    named: list[int] = []

    def drop(match: re.Match[str]) -> str:
        numbers = numbers_of(match)
        if any(start <= match.start(1) < end for start, end in code) or not is_mark(numbers, given):
            return match[0]
        named.extend(numbers)
        return ""

    return MARK.sub(drop, text), named


def numbers_of(mark: re.Match[str]) -> list[int]:
    """The numbers of a `MARK`."""
    return [int(number) for number in re.split(r"\D+", mark[1]) if number]


def is_mark(numbers: Sequence[int], given: Sequence[int]) -> bool:
    """Whether numbers in brackets are meant as passages."""
    return any(number in given for number in numbers) or (len(numbers) == 1 and numbers[0] > 0)


def without_bullet(sentence: str) -> tuple[str, str]:
    """What makes an item of a list, and the item."""
    bullet = BULLET.match(sentence)
    return (bullet[0], sentence[bullet.end() :]) if bullet else ("", sentence)


def leads_in(text: str) -> bool:
    """Whether a text announces what follows: a line that ends in a colon, or a row at the head of a table."""
    return text.rstrip().endswith(":") or text.lstrip().startswith("|")


def with_marks(text: str, marks: str) -> str:
    """A text with marks before its full stop, or in the last cell of a row. Code stays as it is."""
    body = text.rstrip()
    end = text[len(body) :]
    if not marks or body.lstrip().startswith(FENCE):
        return text
    if body.lstrip().startswith("|") and body.endswith("|"):
        return f"{body[:-1].rstrip()}{marks} |{end}"
    stop = body[-1] if body[-1:] in (".", "!", "?", ":") else ""
    return f"{body.removesuffix(stop)}{marks}{stop}{end}"


def _first_end(text: str, *, last: bool) -> int:
    """Where the first sentence ends; 0 if that is not known yet."""
    body = len(text) - len(text.lstrip())
    if (bullet := BULLET.match(text)) is not None:
        body = bullet.end()
    if text.startswith(FENCE, body):
        closing = text.find(FENCE, body + len(FENCE))
        return 0 if closing < 0 else closing + len(FENCE)
    if not last and FENCE.startswith(text[body:]):
        return 0
    line = text.find("\n", body)
    limit = line if line >= 0 else len(text)
    first = next(ends(text[body:limit], code=(match.span() for match in CODE.finditer(text[body:limit]))), None)
    if first is None:
        return line if line > 0 else 0
    end = body + first
    marks = MARKS_AHEAD.match(text, end)
    if marks is None:
        # The marks of a sentence may follow its full stop, and may not have come yet.
        return end if last or text[end:limit].lstrip()[:1] not in ("", "[") or line >= 0 else 0
    return marks.end() if last or marks.end() < len(text) else 0
