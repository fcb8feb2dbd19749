"""A kind's schema as a JSON Schema validator that judges as an API server does, and the rules' Python twins."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, get_args

from jsonschema import Draft4Validator, Draft202012Validator, FormatChecker, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from pydantic import BaseModel

from slipway_crds.configmaps import CONFIG_MAP
from slipway_crds.configmaps import KIND as CONFIG_MAP_KIND
from slipway_crds.definitions import kind_schema
from slipway_crds.fields import Rule, matches
from slipway_crds.manifests import FieldProblem, Place, format_place
from slipway_crds.objectmeta import METADATA, is_time
from slipway_crds.registry import KINDS
from slipway_crds.structural import Schema
from slipway_crds.wording import unknown_field


@cache
def object_schema(kind: str) -> Schema:
    """The schema of a whole object of one of our kinds or of a ConfigMap, metadata included."""
    if kind == CONFIG_MAP_KIND:
        return CONFIG_MAP
    schema = kind_schema(KINDS[kind])
    return {**schema, "properties": {**schema["properties"], "metadata": METADATA}}


@cache
def schema_validator(kind: str) -> Validator:
    """The validator of an object as it is created: null-free, with defaults, its status dropped."""
    schema = object_schema(kind)
    properties = {name: child for name, child in schema["properties"].items() if name != "status"}
    return _validator()({**schema, "properties": properties}, format_checker=_formats())


def unknown_fields(value: object, schema: Mapping[str, Any], place: Place = ()) -> Iterator[FieldProblem]:
    """The fields that strict decoding refuses. Wherever a type is wrong there is nothing to look into."""
    if isinstance(value, list):
        for position, item in enumerate(value):
            yield from unknown_fields(item, schema.get("items", {}), (*place, position))
    if not isinstance(value, dict) or not schema.keys() & {"properties", "additionalProperties"}:
        return
    properties: Mapping[str, Any] = schema.get("properties", {})
    rest = schema.get("additionalProperties")
    for name, child in value.items():
        if name in properties or isinstance(rest, dict):
            yield from unknown_fields(child, properties.get(name, rest), (*place, name))
        else:
            yield unknown_field((*place, name), properties)


def broken_rules(
    value: object, schema: Mapping[str, Any], invalid: Sequence[Place], place: Place = ()
) -> Iterator[FieldProblem]:
    """The rules that an object with defaults breaks.

    A rule may rely on what it reads being valid, so it is left out where something beneath is not: `invalid` holds
    the places of the schema's errors.
    """
    if isinstance(value, list):
        for position, item in enumerate(value):
            yield from broken_rules(item, schema.get("items", {}), invalid, (*place, position))
    if not isinstance(value, dict):
        return
    for entry in schema.get("x-kubernetes-validations", ()):
        rule = twins()[entry["rule"]]
        if rule.holds and not _touches(invalid, place, rule) and not rule.holds(value):
            yield FieldProblem(format_place((*place, rule.field) if rule.field else place), rule.message)
    for name, child in schema.get("properties", {}).items():
        yield from broken_rules(value.get(name), child, invalid, (*place, name))


def twins() -> Mapping[str, Rule]:
    """Every rule of every kind, by its CEL."""
    return _twins(tuple(KINDS.values()))


@cache
def _twins(kinds: tuple[type[BaseModel], ...]) -> Mapping[str, Rule]:
    models = (model for kind in kinds for model in _models(kind))
    return {rule.cel: rule for model in models for rule in getattr(model, "rules", ())}


def _touches(invalid: Iterable[Place], place: Place, rule: Rule) -> bool:
    """Whether something invalid lies where a rule looks: under its object, for the root's rule under metadata."""
    scope = place or tuple(rule.field.split(".")[:1])
    return any(each[: len(scope)] == scope for each in invalid)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in a type, with those of their fields."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from _models(field.annotation)
    for argument in get_args(annotation):
        yield from _models(argument)


@cache
def _validator() -> type[Validator]:
    """JSON Schema draft 4, which OpenAPI 3.0 goes back to, with three differences: Go's regular expressions, whole
    floats taken for integers, and list-type map."""
    keywords = {"pattern": _pattern, "x-kubernetes-list-map-keys": _map_keys}
    types = Draft202012Validator.TYPE_CHECKER
    validator: type[Validator] = extend(Draft4Validator, keywords, type_checker=types)  # type: ignore[no-untyped-call]
    return validator


def _formats() -> FormatChecker:
    checker = FormatChecker(formats=())
    checker.checks("date-time")(lambda value: not isinstance(value, str) or is_time(value))
    return checker


def _pattern(_: Validator, pattern: str, instance: object, __: Schema) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not matches(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _map_keys(_: Validator, keys: list[str], instance: object, __: Schema) -> Iterator[ValidationError]:
    if not isinstance(instance, list):
        return
    seen: dict[tuple[str, ...], int] = {}
    for position, item in enumerate(instance):
        if not isinstance(item, dict) or not all(isinstance(item.get(key), str) for key in keys):
            continue
        key = tuple(item[name] for name in keys)
        if key in seen:
            message = f"is {key[0]} as in entry {seen[key] + 1}: give each entry a {keys[0]} of its own"
            yield ValidationError(message, path=[position, keys[0]])
        seen.setdefault(key, position)
