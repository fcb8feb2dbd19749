"""A condition that can never hold is refused: its stage would be skipped for ever and shown as a success."""

import pytest

from scripts.harness.conditions import problems
from tests.harness.conftest import Break

VARIABLES = [
    {"name": "release", "type": "String", "value": "<+input>.allowedValues(yes,no)"},
    {"name": "tag", "type": "String", "value": "<+input>"},
]


def complaints(condition: str) -> list[str]:
    stage = {"identifier": "s", "when": {"pipelineStatus": "Success", "condition": condition}}
    return [problem.message for problem in problems("p.yaml", {"variables": VARIABLES, "stages": [{"stage": stage}]})]


@pytest.mark.parametrize(
    "condition",
    [
        '<+pipeline.variables.release> == "yes"',
        '<+pipeline.variables.release> == "yes" && <+pipeline.stages.test.status> == "SUCCEEDED"',
        '<+<+pipeline.variables.release>.toUpperCase()> == "YES"',
        '<+<+pipeline.variables.release>.trim().toLowerCase()> == "no"',
        '<+pipeline.variables.release> == "yes" && <+<+pipeline.variables.release>.toUpperCase()> == "YES"',
    ],
)
def test_one_that_can_hold_passes(condition: str) -> None:
    assert complaints(condition) == []


@pytest.mark.parametrize(
    ("condition", "complaint"),
    [
        ('<+pipeline.variables.release> == "yse"', "is never 'yse', so this never holds; write one of yes, no"),
        ('<+<+pipeline.variables.release>.toUpperCase()> == "yes"', "write one of YES, NO"),
        ('<+pipeline.stages.test.status> == "SUCEEDED"', "is never 'SUCEEDED'"),
        ('<+pipeline.variables.tag> == "main"', "nothing says what <+pipeline.variables.tag> can be"),
        ('<+<+pipeline.variables.release>.charAt(0)> == "y"', "nothing says what"),
        ('<+pipeline.variables.release> = "yes"', "is not of the form"),
        ('<+pipeline.variables.release> != "yes"', "is not of the form"),
        ('<+pipeline.variables.release> == "yes" || "yes" == "yes"', "is not of the form"),
        ('<+pipeline.variables.release> == <+pipeline.variables.release> == "yes"', "is not of the form"),
        ("true", "is not of the form"),
        ('<+pipeline.variables.release> == "yes" && <+pipeline.variables.release> == "no"', "cannot be all that it is"),
        (
            '<+pipeline.variables.release> == "yes" && <+<+pipeline.variables.release>.toUpperCase()> == "NO"',
            "<+pipeline.variables.release> cannot be all that it is compared with, so this never holds; compare it",
        ),
    ],
)
def test_one_that_cannot_is_refused(condition: str, complaint: str) -> None:
    assert any(complaint in found for found in complaints(condition)), complaints(condition)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "pipelines/slipway.yaml",
            'release> == "yes"',
            'release> == "Yes"',
            "when.condition: <+pipeline.variables.release> is never 'Yes', so this never holds; write one of yes, no",
        ),
        (
            "templates/canary.yaml",
            "pipelineStatus: Success",
            "pipelineStatus: Sucess",
            "when.pipelineStatus: Sucess is not known here; write one of Success (from .harness/templates/canary.yaml)",
        ),
        (
            "templates/ask.yaml",
            "<+httpResponseCode> == 200",
            "<+httpResponseCode> == 500",
            "spec.assertion: <+httpResponseCode> == 500 is not known here; write one of <+httpResponseCode> == 200",
        ),
        (
            "triggers/main.yaml",
            "key: targetBranch",
            "key: targetBranhc",
            "payloadConditions.0.key: Input should be 'targetBranch', 'sourceBranch' or 'changedFiles'",
        ),
    ],
)
def test_a_mistyped_word_in_our_files_is_refused(after: Break, file: str, old: str, new: str, message: str) -> None:
    found = [str(problem) for problem in after(file, old, new)]
    assert any(message in problem for problem in found), found
