"""From a pydantic model to a structural schema, which is what an API server takes in a CRD.

Pydantic writes JSON Schema; a CRD takes a narrower dialect (`apiextensions/validation/validation.go` and
`schema/validation.go` of Kubernetes). Each function below turns one thing that pydantic emits into what the dialect
has for it; what has no counterpart raises, so that nothing is lost in silence.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from slipway_crds.fields import LOCAL

Schema = dict[str, Any]

_SAME_IN_BOTH = {"type", "format", "enum", "pattern", "description", "default", "required", "properties", "items"}
_LIMITS = {"minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "minProperties", "maxProperties"}
_KUBERNETES = {
    f"x-kubernetes-{name}"
    for name in ("list-type", "list-map-keys", "validations", "int-or-string", "preserve-unknown-fields")
}
_KEYWORDS = (
    _SAME_IN_BOTH | _LIMITS | _KUBERNETES | {"additionalProperties", "exclusiveMinimum", "exclusiveMaximum", LOCAL}
)


class NotStructural(TypeError):
    """A model says something that a CRD cannot: the message names the place and the way out."""


def structural_schema(model: type[BaseModel]) -> Schema:
    """The structural schema of a model, with `x-slipway-local` still in it.

    Raises:
        NotStructural: for recursion, unions, tuples and keywords that a CRD has no word for.
    """
    schema = model.model_json_schema(by_alias=True)
    definitions = schema.pop("$defs", {})
    return _node(schema, definitions, path=model.__name__, within=())


def strip(schema: Mapping[str, Any]) -> Schema:
    """The same schema without what only Slipway understands: what goes into the CRD."""
    result = {key: value for key, value in schema.items() if key != LOCAL}
    if "properties" in result:
        result["properties"] = {name: strip(child) for name, child in result["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(result.get(key), dict):
            result[key] = strip(result[key])
    return result


def _node(schema: Schema, definitions: Mapping[str, Schema], *, path: str, within: tuple[str, ...]) -> Schema:
    schema, within = _inline(_optional(schema), definitions, path=path, within=within)
    schema = _int_or_string(schema)
    schema = _constant(schema)
    schema = _exclusive_bounds(schema)
    schema = _set(schema)
    schema.pop("title", None)
    if "description" in schema:
        schema["description"] = " ".join(schema["description"].split())
    # Closed objects are pruned by themselves; of an object of anything a CRD says that nothing in it is pruned.
    if isinstance(schema.get("additionalProperties"), bool) and schema.pop("additionalProperties"):
        schema["x-kubernetes-preserve-unknown-fields"] = True
    if not schema.keys() & {"type", "x-kubernetes-int-or-string"}:
        schema["x-kubernetes-preserve-unknown-fields"] = True
    unknown = schema.keys() - _KEYWORDS
    if unknown:
        raise NotStructural(
            f"{path}: a CRD has no {', '.join(sorted(unknown))}; write the field as one type, a union as an object of"
            " optional members with a rule"
        )
    return _children(schema, definitions, path=path, within=within)


def _children(schema: Schema, definitions: Mapping[str, Schema], *, path: str, within: tuple[str, ...]) -> Schema:
    if "properties" in schema:
        schema["properties"] = {
            name: _node(child, definitions, path=f"{path}.{name}", within=within)
            for name, child in schema["properties"].items()
        }
        if "default" in schema:
            schema["default"] = _without_nulls(schema["default"])
    for key, suffix in (("items", "[]"), ("additionalProperties", ".*")):
        if isinstance(schema.get(key), dict):
            schema[key] = _node(schema[key], definitions, path=path + suffix, within=within)
    if schema.get("type") == "array" and "items" not in schema:
        raise NotStructural(f"{path}: an array needs one type of items")
    return schema


def _inline(
    schema: Schema, definitions: Mapping[str, Schema], *, path: str, within: tuple[str, ...]
) -> tuple[Schema, tuple[str, ...]]:
    """CRDs know no `$ref`. What is next to the reference (a description, a default) is the more specific."""
    reference = schema.get("$ref")
    if reference is None:
        return schema, within
    name = reference.removeprefix("#/$defs/")
    if name in within:
        raise NotStructural(f"{path}: {name} contains itself, and a CRD cannot recur")
    siblings = {key: value for key, value in schema.items() if key != "$ref"}
    return {**definitions[name], **siblings}, (*within, name)


def _optional(schema: Schema) -> Schema:
    """`T | None = None` is an optional T: the API server prunes nulls, and has no null type."""
    schema = {key: value for key, value in schema.items() if (key, value) != ("default", None)}
    branches = [branch for branch in schema.get("anyOf", ()) if branch != {"type": "null"}]
    if len(branches) != 1:
        return schema
    del schema["anyOf"]
    return {**branches[0], **schema}


def _int_or_string(schema: Schema) -> Schema:
    """The one union that CRDs know by name."""
    branches = schema.get("anyOf", ())
    if sorted(branch.get("type", "") for branch in branches) != ["integer", "string"]:
        return schema
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {"x-kubernetes-int-or-string": True, **rest}


def _constant(schema: Schema) -> Schema:
    if "const" in schema:
        schema["enum"] = [schema.pop("const")]
    return schema


def _exclusive_bounds(schema: Schema) -> Schema:
    """In a CRD `exclusiveMinimum` is a boolean next to `minimum`, as it was in JSON Schema draft 4."""
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if exclusive in schema:
            schema[bound] = schema[exclusive]
            schema[exclusive] = True
    return schema


def _set(schema: Schema) -> Schema:
    if schema.pop("uniqueItems", False):
        schema["x-kubernetes-list-type"] = "set"
    return schema


def _without_nulls(default: Any) -> Any:
    """A model's default as the API server wants it: whole, because rules are tried on it as it stands (`{}`, to be
    filled by the defaults below, is refused where a rule reads a field), and without the nulls of optional fields."""
    if not isinstance(default, dict):
        return default
    return {name: _without_nulls(value) for name, value in default.items() if value is not None}
