"""The JSON Schema that an agent's answers fit: which ones Slipway takes, and its canonical text.

Of 2020-12 all keywords are taken. References lead to `$defs` of the root and not back to where they stand, because
models' providers and pydantic-ai take no others.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

LARGEST = 64 * 1024
"""Bytes of its JSON text."""
_DEFS = "#/$defs/"


def canonical_schema(schema: Mapping[str, Any]) -> str:
    """The schema as JSON: the same text for the same schema, but for the order of its properties, which models see."""
    return orjson.dumps(schema).decode()


def schema_problem(schema: Mapping[str, Any]) -> str:
    """What is wrong with a schema, as a sentence that goes on after its path; empty if nothing is."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        size = len(canonical_schema(schema))
        Draft202012Validator.check_schema(schema)
        wrong_reference = next(_wrong_references(schema), "")
    except SchemaError as error:
        where = "/".join(map(str, error.absolute_path))
        return f"is no JSON Schema: {f'{where}: ' if where else ''}{error.message[:300]}"
    except (RecursionError, orjson.JSONEncodeError):
        return "is nested too deeply: write it flatter"
    if size > LARGEST:
        return f"has {size} bytes, {LARGEST} at most: shorten it"
    if schema.get("type") != "object":
        return "must be of type object: put another value under a property"
    if wrong_reference:
        return f"has the reference {wrong_reference[:100]}: references lead to {_DEFS}NAME, to what is there"
    if cycle := _cycle(schema):
        return f"has a definition that contains itself, {cycle[:100]}: write out as many levels as are needed"
    return ""


def _references(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for name, child in value.items():
            if name in ("$ref", "$dynamicRef"):
                yield child
            elif name not in ("const", "enum", "default", "examples"):
                yield from _references(child)
    elif isinstance(value, list):
        for child in value:
            yield from _references(child)


def _definitions(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    found = schema.get("$defs")
    return found if isinstance(found, Mapping) else {}


def _wrong_references(schema: Mapping[str, Any]) -> Iterator[str]:
    known = {f"{_DEFS}{name}" for name in _definitions(schema)}
    for reference in _references(schema):
        # A property may be called `$ref` too; what it has is a schema, no text.
        if isinstance(reference, str) and reference not in known:
            yield reference
        elif not isinstance(reference, str):
            yield from (each for each in _references(reference) if isinstance(each, str) and each not in known)


def _cycle(schema: Mapping[str, Any]) -> str:
    """The name of a definition that leads back to itself; empty if there is none."""
    leads = {
        name: {str(each).removeprefix(_DEFS) for each in _references(child)}
        for name, child in _definitions(schema).items()
    }
    while ends := {name for name, to in leads.items() if not to & leads.keys()}:
        leads = {name: to for name, to in leads.items() if name not in ends}
    return min(leads, default="")
