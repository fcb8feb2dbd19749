"""What the local driver makes of a manifest, field by field, as the schemas state it."""

from collections.abc import Iterator, Mapping
from typing import Any

from slipway_crds.checking import object_schema
from slipway_crds.fields import LOCAL, Local
from slipway_crds.manifests import FieldProblem, Place, format_place


def fields_treated(document: Mapping[str, Any], behaviour: Local) -> list[FieldProblem]:
    """The fields that a valid object gives and that the local driver treats in this way, with the statement why.

    Of an object that is treated so as a whole only itself is named, not what is in it.
    """
    spec_schema = object_schema(document["kind"])["properties"]["spec"]
    return list(_treated(document["spec"], spec_schema, behaviour, ("spec",)))


def _treated(value: Any, schema: Mapping[str, Any], behaviour: Local, place: Place) -> Iterator[FieldProblem]:
    if value is None:
        return
    if schema.get(LOCAL, {}).get("behaviour") == behaviour:
        yield FieldProblem(format_place(place), schema[LOCAL]["statement"])
    elif isinstance(value, dict):
        for name, child in value.items():
            yield from _treated(child, schema.get("properties", {}).get(name, {}), behaviour, (*place, name))
    elif isinstance(value, list):
        for position, child in enumerate(value):
            yield from _treated(child, schema.get("items", {}), behaviour, (*place, position))
