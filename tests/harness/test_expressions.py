"""Finding expressions in texts."""

import pytest

from scripts.harness.syntax import expressions, unclosed


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("no expression, 1 > 0", []),
        ("0.1.<+pipeline.sequenceId>", ["pipeline.sequenceId"]),
        ("<+a> == 200 && <+b>", ["a", "b"]),
        ('<+secrets.getValue("key_<+env.name>")>', ["env.name", 'secrets.getValue("key_<+env.name>")']),
        ("<+input>.allowedValues(yes,no)", ["input"]),
    ],
)
def test_expressions(text: str, found: list[str]) -> None:
    assert list(expressions(text)) == found


@pytest.mark.parametrize(
    ("text", "rest"),
    [("1 > 0", None), ("<+a>:<+b>", None), ("<+a.<+b>>", None), ("x:<+a", "a"), ("<+a.<+b>", "a.<+b>")],
)
def test_unclosed(text: str, rest: str | None) -> None:
    assert unclosed(text) == rest
