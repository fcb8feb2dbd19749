"""What the demo prints as the answer."""

import pytest

from slipway_demo import question


def test_a_citation_names_its_heading_where_there_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    sources = [{"document": "bees.md", "heading": "Warmth"}, {"document": "file.txt", "heading": ""}]
    question.show("How warm?", {"answer": "Quite. [1][2]", "sources": sources})
    lines = [line.strip("│ ") for line in capsys.readouterr().err.splitlines()]
    assert lines[1:-1] == ["Quite. [1][2]", "[1] bees.md › Warmth", "[2] file.txt"]
