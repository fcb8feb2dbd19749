"""No script of a workflow or action goes on after a failure: such a gate still runs and still looks green."""

import re
from typing import Any

import pytest

from tests.github.test_workflows import ACTIONS, WORKFLOWS, load

FORGIVING = {
    r"\|\|(?!\s*\{[^}]*exit 1; \})": "`||`: what fails before it stops nothing (`|| { ...; exit 1; }` is allowed)",
    r"[;\n]\s*(?:true|:)\s*$": "an ending that always succeeds",
    r"\bset \+": "`set +`: a command that fails stops nothing",
    r"\bexit 0\b": "`exit 0`: what comes after it does not run",
    r"\bmake -": "a flag of make: `-n`, `-i` and `-k` go on where make would stop",
    r"MAKEFLAGS": "MAKEFLAGS: every target can become a dry run",
}
"""Patterns that no script may have, with what they do."""
PARTS = [part for path in WORKFLOWS for part in load(path)["jobs"].values()] + [load(path)["runs"] for path in ACTIONS]


def forgiving(part: dict[str, Any]) -> list[str]:
    """What lets a job or an action go on after a failure."""
    found = []
    for each in (part, *part.get("steps", ())):
        if "continue-on-error" in each:
            found.append(
                f"`continue-on-error`: the failure of {each.get('run', each.get('uses', 'the job'))} stops nothing"
            )
        text = each.get("run", "") + "".join(f"\n{key}=" for key in each.get("env", ()))
        found += [f"{text.strip()}: {why}" for pattern, why in FORGIVING.items() if re.search(pattern, text)]
    return found


def test_ours_forgive_nothing() -> None:
    assert len(PARTS) > 10
    assert [problem for part in PARTS for problem in forgiving(part)] == []


@pytest.mark.parametrize(
    "step",
    [
        {"run": "make audit || true"},
        {"run": "make audit; true"},
        {"run": "set +e\nmake audit"},
        {"run": "exit 0\nmake audit"},
        {"run": "make -i audit"},
        {"run": "make audit", "env": {"MAKEFLAGS": "-n"}},
        {"run": "make audit", "continue-on-error": True},
    ],
)
def test_a_step_that_forgives_is_refused(step: dict[str, Any]) -> None:
    assert forgiving({"steps": [step]})
    assert forgiving({"steps": [{"run": "make audit"}]}) == []
