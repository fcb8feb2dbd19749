"""The expressions of CEL in a Workflow: where they are in a text, and what is wrong with them before anything runs.

`${...}` in a text is an expression, as with kro; braces and quotes within it are the expression's own.
"""

import re
from collections.abc import Iterator
from typing import Any

import cel

_NAMES = re.compile(r"\bsteps\.([a-zA-Z_][a-zA-Z0-9_]*)")
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"' + r"|'(?:\\.|[^'\\])*'")


class InvalidExpression(ValueError):
    """An expression that is no CEL, or a `${` that nothing closes. The text says which."""


def parts(text: str) -> Iterator[tuple[bool, str]]:
    """The pieces of a text, in order: whether one is an expression, and its text without `${` and `}`.

    Raises:
        InvalidExpression: if a `${` is not closed.
    """
    place = 0
    while (start := text.find("${", place)) >= 0:
        if start > place:
            yield False, text[place:start]
        end = _closing(text, start + 2)
        yield True, text[start + 2 : end]
        place = end + 1
    if place < len(text):
        yield False, text[place:]


def _closing(text: str, start: int) -> int:
    depth, place = 0, start
    while place < len(text):
        if quoted := _QUOTED.match(text, place):
            place = quoted.end()
            continue
        if text[place] == "}" and depth == 0:
            return place
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        place += 1
    raise InvalidExpression(f"{text[start - 2 : start + 40]!r} is not closed: end it with a brace")


def in_value(value: Any) -> Iterator[str]:
    """The expressions in the texts of a JSON value, however deep.

    Raises:
        InvalidExpression: see `parts`.
    """
    if isinstance(value, str):
        yield from (text for expression, text in parts(value) if expression)
    elif isinstance(value, dict):
        for child in value.values():
            yield from in_value(child)
    elif isinstance(value, list | tuple):
        for child in value:
            yield from in_value(child)


def check(expression: str) -> None:
    """Raise InvalidExpression for what is no CEL."""
    try:
        cel.compile(expression)
    except ValueError as error:
        problem = str(error).split("ERROR: ")[-1].splitlines()[0]
        raise InvalidExpression(f"{expression[:100]!r} is no CEL: {problem[:200]}") from error


def steps_read(expression: str) -> frozenset[str]:
    """Names of the steps whose outputs an expression reads as `steps.NAME`."""
    return frozenset(_NAMES.findall(_QUOTED.sub('""', expression)))
