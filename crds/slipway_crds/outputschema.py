"""The JSON Schema that an agent's answers fit: which ones Slipway takes, and its canonical text.

Of 2020-12 all keywords are taken. References lead to `$defs` of the root and not back to where they stand, because
models' providers and pydantic-ai take no others.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import orjson

LARGEST = 64 * 1024
"""Bytes of its JSON text."""
LARGEST_EXPANDED = 4 * LARGEST
"""Bytes with each reference replaced by its definition, as pydantic-ai gives a schema to models."""
MOST_LEVELS = 32
"""Of definitions that refer to definitions."""
MOST_REFERENCES = 16
"""Of a tool's schema that contains itself."""
_NAMED = ("properties", "patternProperties", "dependentSchemas", "$defs", "definitions")
"""Keywords whose objects have names of their own, not keywords, as keys."""
_DEFS = "#/$defs/"


def canonical_schema(schema: Mapping[str, Any]) -> str:
    """The schema as JSON: the same text for the same schema, but for the order of its properties, which models see."""
    return orjson.dumps(schema).decode()


def schema_problem(schema: Mapping[str, Any], *, any_type: bool = False) -> str:
    """What is wrong with a schema, as a sentence that goes on after its path; empty if nothing is.

    Args:
        any_type: whether values may be something else than objects.
    """
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
    if schema.get("type") != "object" and not any_type:
        return "must be of type object: put another value under a property"
    if wrong_reference:
        return f"has the reference {wrong_reference[:100]}: references lead to {_DEFS}NAME, to what is there"
    cycle, levels = _order(schema)
    if cycle:
        return f"has a definition that contains itself, {cycle[:100]}: write out as many levels as are needed"
    if levels > MOST_LEVELS:
        return f"is nested too deeply: its definitions contain others {levels} levels deep, {MOST_LEVELS} at most"
    name, expanded = _largest(schema)
    if expanded > LARGEST_EXPANDED:
        what = f"the definition {name[:100]}" if name else "the schema"
        most = f"{LARGEST_EXPANDED} at most"
        return f"is too large: {what} has {expanded} bytes with its references written out, {most}: refer less often"
    return ""


def growth_problem(schema: Mapping[str, Any]) -> str:
    """What is wrong with the size of any schema, such as a tool's, once its references are written out.

    Empty if nothing is. A schema that contains itself is taken: it has few references then, so that it stays small.
    """
    try:
        references = list(_references(schema))
        cycle, levels = _order(schema)
        if cycle or next(_wrong_references(schema), ""):
            most = MOST_REFERENCES
            return (
                f"has {len(references)} references, {most} at most: refer less often" if len(references) > most else ""
            )
        if levels > MOST_LEVELS:
            return f"has definitions that contain others {levels} levels deep, {MOST_LEVELS} at most: write it flatter"
        _, expanded = _largest(schema)
    except (RecursionError, orjson.JSONEncodeError):
        return "is nested too deeply: write it flatter"
    if expanded > LARGEST_EXPANDED:
        return f"has {expanded} bytes with its references written out, {LARGEST_EXPANDED} at most: refer less often"
    return ""


def _references(value: Any, *, named: bool = False) -> Iterator[Any]:
    """What `$ref` leads to, in a schema, or in an object of schemas by name."""
    if isinstance(value, Mapping):
        for name, child in value.items():
            if named:
                yield from _references(child)
            elif name in ("$ref", "$dynamicRef"):
                yield child
            elif name not in ("const", "enum", "default", "examples"):
                yield from _references(child, named=name in _NAMED)
    elif isinstance(value, list):
        for child in value:
            yield from _references(child)


def _definitions(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    found = schema.get("$defs")
    return found if isinstance(found, Mapping) else {}


def _wrong_references(schema: Mapping[str, Any]) -> Iterator[str]:
    known = {f"{_DEFS}{name}" for name in _definitions(schema)}
    yield from (each for each in map(str, _references(schema)) if each not in known)


def _order(schema: Mapping[str, Any]) -> tuple[str, int]:
    """The name of a definition that leads back to itself (empty if there is none), and the levels of the others."""
    leads = {
        name: {str(each).removeprefix(_DEFS) for each in _references(child)}
        for name, child in _definitions(schema).items()
    }
    levels = 0
    while ends := {name for name, to in leads.items() if not to & leads.keys()}:
        leads = {name: to for name, to in leads.items() if name not in ends}
        levels += 1
    return min(leads, default=""), levels


def _largest(schema: Mapping[str, Any]) -> tuple[str, int]:
    """The definition (the schema itself: empty) with the most bytes, each reference replaced by what it leads to.

    Computed from sums, nothing is expanded. No definition may contain itself.
    """
    definitions = _definitions(schema)

    @cache
    def expanded(name: str) -> int:
        return _bytes(definitions[name])

    def _bytes(value: Any) -> int:
        return len(orjson.dumps(value)) + sum(expanded(str(each).removeprefix(_DEFS)) for each in _references(value))

    whole = _bytes({name: child for name, child in schema.items() if name != "$defs"})
    return max([("", whole), *((name, expanded(name)) for name in definitions)], key=lambda each: each[1])
