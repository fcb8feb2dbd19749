"""Conditions of stages: comparisons of something that has a few values with one of them.

A condition that can never hold skips its stage for ever, and Harness shows a skipped stage as a success
(harness/developer-hub, docs/platform/pipelines/step-skip-condition-settings.md). So the word is held to what the left
side can be: the allowed values of a variable, or the statuses of stages and steps that the same page compares.
"""

import re
from collections.abc import Callable, Iterator

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


def problems(file: str, pipeline: Json) -> Iterator[Problem]:
    """Conditions in an expanded pipeline that are no comparisons, or that can never hold."""
    for path, kind, stage in wrapped(pipeline, ("pipeline",)):
        when = stage.get("when") if kind == "stage" else None
        condition = when.get("condition") if isinstance(when, dict) else None
        for part in condition.split(" && ") if isinstance(condition, str) else []:
            message = _complaint(part, pipeline)
            if message:
                yield Problem(file, (*path, "when", "condition"), message)


def _complaint(part: str, pipeline: Json) -> str | None:
    comparison = COMPARISON.fullmatch(part)
    left = comparison["left"] if comparison else ""
    inside = left.removeprefix("<+").removesuffix(">")
    if comparison is None or syntax.outermost(left) != [inside]:
        return f'{part!r} is not of the form <+pipeline.variables.NAME> == "word", joined by &&; correct it'
    known = _values(inside, pipeline)
    if known is None:
        return f"nothing says what <+{inside}> can be; compare a variable with .allowedValues(...), or a status"
    if comparison["word"] not in known:
        return f"<+{inside}> is never {comparison['word']!r}, so this never holds; write one of {', '.join(known)}"
    return None


def _values(expression: str, pipeline: Json) -> list[str] | None:
    """What an expression can be; None if nothing says so."""
    if "<+" in expression:
        inner, names = syntax.calls(expression)
        known = _values(inner, pipeline)
        for name in names:
            spell = SPELLING.get(name)
            known = [spell(value) for value in known] if spell and known is not None else None
        return known
    if expression.startswith(VARIABLE):
        return choices(str(turns.value(pipeline, f"variables.{expression.removeprefix(VARIABLE)}")))
    return list(STATUSES) if STATUS.fullmatch(expression) else None
