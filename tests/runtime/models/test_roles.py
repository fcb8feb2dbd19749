"""Which role a question is given."""

from typing import Any

import pytest

from slipway_runtime.models.roles import choose_role
from tests.support.models import agent_config

CASES: list[tuple[str, dict[str, Any], str, str]] = [
    ("How many days off do I have?", {}, "fast_routing", "simple question of 7 words"),
    ("Opening hours", {}, "fast_routing", "simple"),
    ("How many days off do I have?", {"output_schema": True}, "structured_output", "schema"),
    ("Compare the two plans.", {}, "complex_reasoning", "'compare'"),
    ("Why is the invoice late?", {}, "complex_reasoning", "'why'"),
    ("Give pros and cons of it.", {}, "complex_reasoning", "'pros and cons'"),
    ("Who is it? And when?", {}, "complex_reasoning", "several parts"),
    ("First line\nsecond line", {}, "complex_reasoning", "several parts"),
    ("word " * 21, {}, "complex_reasoning", "21 words"),
    ("What is this?", {"attachments": True}, "complex_reasoning", "images"),
    ("What is this?", {"tools": True}, "complex_reasoning", "tools"),
    ("What is this?", {"tools": True, "output_schema": True}, "structured_output", "schema"),
]


@pytest.mark.parametrize(("question", "asked", "role", "reason"), CASES)
def test_rules(question: str, asked: dict[str, Any], role: str, reason: str) -> None:
    choice = choose_role(question, agent_config(), **asked)
    assert choice.role == role
    assert reason in choice.reason


def test_an_agents_own_schema_counts() -> None:
    assert choose_role("Hello?", agent_config(output_schema='{"type":"object"}')).role == "structured_output"
