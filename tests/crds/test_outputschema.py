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


def doubled(depth: int, *, first: str = "a", second: str = "b") -> dict[str, Any]:
    """A short schema that has 2**depth parts with its references written out."""
    definitions: dict[str, Any] = {f"d{depth}": {"type": "string"}}
    for n in range(depth):
        to = {"$ref": f"#/$defs/d{n + 1}"}
        definitions[f"d{n}"] = {"type": "object", "properties": {first: to, second: to}}
    return {"type": "object", "properties": {"x": {"$ref": "#/$defs/d0"}}, "$defs": definitions}


def chained(depth: int) -> dict[str, Any]:
    definitions: dict[str, Any] = {f"d{n}": {"items": {"$ref": f"#/$defs/d{n + 1}"}} for n in range(depth)}
    return {"type": "object", "$defs": {**definitions, f"d{depth}": {}}}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "properties": {"$ref": {"type": "string"}, "n": {"enum": [None, {"$ref": "x"}]}}},
        {**TREE, "$defs": {"node": {"properties": {"leaf": {"$ref": "#/$defs/leaf"}}}, "leaf": {"type": "string"}}},
        {"type": "object", "required": ["a"], "properties": {"a": {"type": "array", "items": {"minimum": 1}}}},
        nested(40),
        doubled(6),
        chained(31),
        {"type": "object", "properties": {name: {"$ref": "#/$defs/a"} for name in "abc"}, "$defs": {"a": True}},
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
        (chained(40), "41 levels deep"),
        (doubled(30), "is too large: the schema has"),
        (doubled(30, first="default", second="const"), "is too large"),
        ({"type": "object", "$defs": doubled(30)["$defs"]}, "the definition d0 has"),
        ({**TREE, "$defs": {"node": {"properties": {"$ref": {"$ref": "#/$defs/node"}}}}}, "contains itself, node"),
    ],
)
def test_what_no_model_can_be_asked_for_is_named(schema: dict[str, Any], says: str) -> None:
    assert says in schema_problem(schema)


def test_the_order_of_properties_stays() -> None:
    assert canonical_schema({"type": "object", "a": 1}) == '{"type":"object","a":1}'
