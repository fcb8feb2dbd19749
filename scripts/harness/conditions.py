"""Conditions of stages: comparisons of something that has a few values with one of them.

A condition that can never hold skips its stage for ever, and Harness shows a skipped stage as a success
(harness/developer-hub, docs/platform/pipelines/step-skip-condition-settings.md). So the word is held to what the left
side can be: the allowed values of a variable, or the statuses of stages and steps that the same page compares.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from scripts.harness import syntax, turns
from scripts.harness.folder import Json
from scripts.harness.problems import Problem
from scripts.harness.schema import wrapped
from scripts.harness.templates import choices

COMPARISON = re.compile(r'(?P<left><\+.+>) == "(?P<word>\w+)"')
VARIABLE = "pipeline.variables."
STATUSES = ("FAILED", "SUCCEEDED")
STATUS = re.compile(r".*\.(status|currentStatus|liveStatus)")
SPELLING: dict[str, Callable[[str], str]] = {"toLowerCase": str.lower, "toUpperCase": str.upper, "trim": str.strip}
"""Methods behind which we know what a variable can be."""


@dataclass(frozen=True)
class Sides:
    """What the left side of a comparison can be."""

    source: str
    """The expression without methods behind it."""
    words: Mapping[str, str]
    """By each value of the source, what the methods make of it."""


def problems(file: str, pipeline: Json) -> Iterator[Problem]:
    """Conditions in an expanded pipeline that are no comparisons, or that can never hold."""
    for path, kind, stage in wrapped(pipeline, ("pipeline",)):
        if kind == "stage" and "when" in stage:
            for message in _complaints(stage["when"]["condition"], pipeline):
                yield Problem(file, (*path, "when", "condition"), message)


def _complaints(condition: str, pipeline: Json) -> Iterator[str]:
    """What is wrong with each part, and with them together."""
    holding: dict[str, set[str]] = {}
    for part in condition.split(" && "):
        comparison = COMPARISON.fullmatch(part)
        left = comparison["left"] if comparison else ""
        inside = left.removeprefix("<+").removesuffix(">")
        if comparison is None or syntax.outermost(left) != [inside]:
            yield f'{part!r} is not of the form <+pipeline.variables.NAME> == "word", joined by &&; correct it'
            continue
        known, word = _sides(inside, pipeline), comparison["word"]
        if known is None:
            yield f"nothing says what <+{inside}> can be; compare a variable with .allowedValues(...), or a status"
        elif word not in known.words.values():
            words = ", ".join(known.words.values())
            yield f"<+{inside}> is never {word!r}, so this never holds; write one of {words}"
        else:
            values = {value for value, spelt in known.words.items() if spelt == word}
            holding[known.source] = holding.get(known.source, values) & values
    for source in (source for source, values in holding.items() if not values):
        yield f"<+{source}> cannot be all that it is compared with, so this never holds; compare it once"


def _sides(expression: str, pipeline: Json) -> Sides | None:
    """What an expression can be; None if nothing says so."""
    if "<+" in expression:
        inner, names = syntax.calls(expression)
        known = _sides(inner, pipeline)
        for name in names:
            spell = SPELLING.get(name)
            words = {value: spell(word) for value, word in known.words.items()} if spell and known else None
            known = Sides(known.source, words) if known and words else None
        return known
    values: Sequence[str] | None = STATUSES if STATUS.fullmatch(expression) else None
    if expression.startswith(VARIABLE):
        values = choices(str(turns.value(pipeline, f"variables.{expression.removeprefix(VARIABLE)}")))
    return Sides(expression, {value: value for value in values}) if values else None
