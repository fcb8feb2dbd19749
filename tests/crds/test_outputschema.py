"""Which JSON Schemas an agent's answers may be asked to fit."""

from typing import Any

import pytest

from slipway_crds.outputschema import LARGEST, canonical_schema, schema_problem

TREE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "properties": {"$ref": {"type": "string"}, "n": {"enum": [None, {"$ref": "x"}]}}},
        {**TREE, "$defs": {"node": {"properties": {"leaf": {"$ref": "#/$defs/leaf"}}}, "leaf": {"type": "string"}}},
        {"type": "object", "required": ["a"], "properties": {"a": {"type": "array", "items": {"minimum": 1}}}},
        nested(40),
    ],
)
def test_a_schema_of_an_object_passes(schema: dict[str, Any]) -> None:
    assert schema_problem(schema) == ""


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({"type": "objekt"}, "is no JSON Schema"),
        ({"type": "object", "properties": {"a": {"minimum": "1"}}}, "properties/a/minimum"),
        ({}, "must be of type object"),
        ({"type": "string"}, "must be of type object"),
        ({"type": ["object", "null"]}, "must be of type object"),
        ({"type": "object", "properties": {"a": {"$ref": "https://example.com/a.json"}}}, "https://example.com/a.json"),
        (TREE, "the reference #/$defs/node"),
        ({**TREE, "$defs": {"node": TREE}}, "contains itself, node"),
        ({**TREE, "$defs": {"node": {"items": {"$ref": "#/$defs/b"}}, "b": TREE}}, "contains itself, b"),
        ({"type": "object", "description": "x" * LARGEST}, "at most"),
        (nested(1000), "too deeply"),
    ],
)
def test_what_no_model_can_be_asked_for_is_named(schema: dict[str, Any], says: str) -> None:
    assert says in schema_problem(schema)


def test_the_order_of_properties_stays() -> None:
    assert canonical_schema({"type": "object", "a": 1}) == '{"type":"object","a":1}'
