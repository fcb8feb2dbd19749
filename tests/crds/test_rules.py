"""Rules: each CEL expression and its twin come from one source, and say the same.

That an API server gives the CEL the twin's verdict is compared on generated manifests (tests/cluster/test_crds.py).
"""

from typing import Annotated, Any

import pytest
from pydantic import Field

from slipway_crds.fields import Rule, SpecModel, ignored, same
from slipway_crds.rules import (
    OneOf,
    at_most_half,
    default_with,
    duration_within,
    exactly_one,
    immutable,
    immutable_quantity,
    not_below,
    not_with,
    quantity_not_above,
    unique,
)
from slipway_crds.structural import structural_schema

ONE = {"x": {"y": "1"}}
TWO_OF_ONE = {"a": {"cpu": "2"}, "b": {"cpu": "1"}}


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (duration_within("ttl", "1m"), {"ttl": "60s"}, {"ttl": "59s"}),
        (duration_within("t", "1s", "30m"), {"t": "30m"}, {"t": "30m1s"}),
        (duration_within("t", "1s", "30m"), {"t": "1s"}, {"t": "0s"}),
        (not_below("max", "min"), {"min": 2, "max": 2}, {"min": 2, "max": 1}),
        (not_below("max", "min"), {"min": 2}, {"min": 2, "max": 1}),
        (at_most_half("overlap", "maxTokens"), {"overlap": 5, "maxTokens": 10}, {"overlap": 6, "maxTokens": 10}),
        (
            quantity_not_above("a.cpu", "b.cpu"),
            {"a": {"cpu": "1"}, "b": {"cpu": "1000m"}},
            {"a": {"cpu": "2"}, "b": {"cpu": "1"}},
        ),
        (quantity_not_above("a.cpu", "b.cpu"), {"a": {"cpu": "1"}}, {"a": {"cpu": "2"}, "b": {"cpu": "1"}}),
        (
            unique("l", by="x.y", message="m"),
            {"l": [{"x": {"y": "1"}}, {"x": {"y": "2"}}]},
            {"l": [{"x": {"y": "1"}}] * 2},
        ),
        (not_with("a", "b", "m"), {"a": "1"}, {"a": "1", "b": "2"}),
        (default_with("size", "1Gi", "a", "m"), {"size": "1Gi", "a": "1"}, {"size": "2Gi", "a": "1"}),
        (default_with("size", "1Gi", "a", "m"), {"size": "2Gi"}, {"size": "2Gi", "a": "1"}),
        (exactly_one(["a", "b"]), {"a": {}}, {}),
        (exactly_one(["a", "b"]), {"b": {}}, {"a": {}, "b": {}}),
    ],
)
def test_a_twin_tells_good_from_bad(rule: Rule, good: dict[str, Any], bad: dict[str, Any]) -> None:
    assert rule.holds is not None
    assert rule.holds(good)
    assert not rule.holds(bad)


@pytest.mark.parametrize("rule", [immutable("name", "it is used"), immutable_quantity("size", "it is used")])
def test_a_rule_about_a_change_has_no_twin(rule: Rule) -> None:
    assert rule.holds is None
    assert "oldSelf" in rule.cel
    assert rule.message == "cannot be changed: it is used"


class Choice(OneOf):
    """A choice."""

    local = same("All the same.")

    name: Annotated[str, Field(max_length=9)]
    """Its name."""
    one: int | None = None
    """The first."""
    another_one: Annotated[int | None, ignored("Not here.")] = None
    """The
    second."""


def test_a_choice_knows_its_members_and_which_is_given() -> None:
    assert Choice.members == ("one", "another_one")
    assert Choice(name="x", one=0).chosen == "one"
    assert Choice.model_validate({"name": "x", "anotherOne": 2}).chosen == "another_one"


def test_a_model_says_what_its_fields_do_not_say_of_their_own() -> None:
    schema = structural_schema(Choice)
    assert schema["x-kubernetes-validations"] == [
        {
            "rule": "[has(self.one), has(self.anotherOne)].exists_one(given, given)",
            "message": "must have exactly one of: one, anotherOne",
        }
    ]
    statements = {name: field["x-slipway-local"]["statement"] for name, field in schema["properties"].items()}
    assert statements == {"name": "All the same.", "one": "All the same.", "anotherOne": "Not here."}
    assert schema["properties"]["anotherOne"]["description"] == "The second."
    assert schema["required"] == ["name"]


def test_an_acronym_keeps_its_letters_by_an_alias() -> None:
    class Endpoint(SpecModel):
        """An end point."""

        base_url: Annotated[str, Field(alias="baseURL")]
        """Where."""

    assert list(structural_schema(Endpoint)["properties"]) == ["baseURL"]
