"""The handbook's cases prove something: what they expect can be quoted from a right page, and hardly by accident.

`make eval` counts an answer as right when it has the expected phrases. A phrase that many pages have, or that only
repeats the question, would be found in wrong answers too.
"""

from functools import cache
from pathlib import Path

import pytest
import yaml

from slipway_runtime.evals.cases import CaseKind, CaseSpec, FollowUp, load_cases
from slipway_runtime.evals.evaluators import plain

HANDBOOK = Path(__file__).parents[2] / "examples" / "handbook"
COMMON = 5
"""A phrase that more pages than this have is too common to show that the right passage was quoted."""


@cache
def pages() -> dict[str, str]:
    """The handbook's documents without markup, by name."""
    manifests = [
        yaml.load(file.read_text(), Loader=yaml.CSafeLoader) for file in sorted(HANDBOOK.glob("documents-*.yaml"))
    ]
    return {name: plain(text) for manifest in manifests for name, text in manifest["data"].items()}


def cases() -> tuple[CaseSpec, ...]:
    return load_cases([HANDBOOK / "cases.yaml", HANDBOOK / "follow-ups.yaml"])


def expected() -> list[object]:
    """Every phrase that a case accepts, next to the case."""
    return [
        pytest.param(case, plain(choice), id=f"{case.name}: {choice}")
        for case in cases()
        if case.expect
        for phrase in case.expect.contains
        for choice in phrase.split("|")
    ]


@pytest.mark.parametrize(("case", "phrase"), expected())
def test_a_phrase_shows_that_the_right_passage_was_quoted(case: CaseSpec, phrase: str) -> None:
    assert case.expect is not None
    having = {name for name, text in pages().items() if phrase in text}
    assert having & set(case.expect.documents), "no right page says so"
    assert len(having) <= COMMON, f"too common: {', '.join(sorted(having))}"
    assert phrase not in plain(case.question), "the question says it already"


def test_there_are_enough_cases_of_each_kind() -> None:
    kinds = [case.kind for case in cases() if case.follow_up is None]
    assert len(kinds) >= 40
    assert min(kinds.count(kind) for kind in CaseKind) >= 10


def test_there_are_enough_follow_ups_of_each_kind() -> None:
    kinds = [case.follow_up for case in cases()]
    assert min(kinds.count(kind) for kind in FollowUp) >= 15
