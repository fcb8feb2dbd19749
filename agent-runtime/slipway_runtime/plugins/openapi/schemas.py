"""Schemas of an OpenAPI document as the JSON Schema of a tool's arguments: whole in itself, whatever it refers to.

What a schema refers to becomes a definition beside it, so that one that contains itself stays finite.
"""

import re
from collections.abc import Mapping
from typing import Any

from slipway_runtime.plugins.openapi.document import Json, at

MOST_PARTS = 1000
"""Objects in the schema of one tool. No model reads more."""
_LEFT_OUT = frozenset({"example", "examples", "xml", "externalDocs", "discriminator", "nullable", "deprecated"})
_NAME = re.compile(r"[^0-9A-Za-z_.-]+")
_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_AS_IT_IS = ("enum", "const", "default", "required", "type")


class SchemaTooLarge(Exception):
    """A schema with all that it refers to has more parts than a tool's arguments may have."""


class ToolSchemas:
    """The schemas of one tool."""

    def __init__(self, document: Json) -> None:
        self._document = document
        self._names: dict[str, str] = {}
        self._parts = 0
        self._pending: list[str] = []

    def converted(self, schema: Any) -> Any:
        """A schema with its references led to the definitions.

        Raises:
            SchemaTooLarge, or LookupError for a reference that leads nowhere.
        """
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise SchemaTooLarge
        if not isinstance(schema, Mapping):
            return schema if isinstance(schema, bool) else {}
        ref = schema.get("$ref")
        if isinstance(ref, str):
            described = {"description": schema["description"]} if isinstance(schema.get("description"), str) else {}
            return {"$ref": f"#/$defs/{self._defined(ref)}", **described}
        made = {name: self._keyword(name, value) for name, value in schema.items() if _kept(name)}
        return _as_2020(made, schema)

    def _keyword(self, name: str, value: Any) -> Any:
        if name in _AS_IT_IS:
            return value
        if name in _MAPS and isinstance(value, Mapping):
            return {key: self.converted(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.converted(each) for each in value]
        return self.converted(value) if isinstance(value, Mapping) else value

    def _defined(self, ref: str) -> str:
        if ref in self._names:
            return self._names[ref]
        base = _NAME.sub("_", ref.rpartition("/")[2])[:64] or "schema"
        name, count = base, 1
        while name in self._names.values():
            count += 1
            name = f"{base}_{count}"
        self._names[ref] = name
        self._pending.append(ref)
        return name

    def definitions(self) -> dict[str, Any]:
        """What the schemas that were converted refer to. One after the other: a chain of references may be long.

        Raises:
            SchemaTooLarge, or LookupError for a reference that leads nowhere.
        """
        made: dict[str, Any] = {}
        while self._pending:
            ref = self._pending.pop()
            made[self._names[ref]] = self.converted(at(self._document, ref))
        return made


def _kept(name: str) -> bool:
    return name not in _LEFT_OUT and not name.startswith("x-")


def _as_2020(made: dict[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """What OpenAPI 3.0 says in its own way, and what only answers have."""
    if schema.get("nullable") is True and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
        if isinstance(made.get("enum"), list) and None not in made["enum"]:
            made["enum"] = [*made["enum"], None]
    for bound, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(made.get(bound), bool) and made.pop(bound) and limit in made:
            made[bound] = made.pop(limit)
    properties = schema.get("properties")
    if isinstance(properties, Mapping):
        only_answers = {
            name for name, each in properties.items() if isinstance(each, Mapping) and each.get("readOnly") is True
        }
        made["properties"] = {name: each for name, each in made["properties"].items() if name not in only_answers}
        if isinstance(made.get("required"), list):
            made["required"] = [name for name in made["required"] if name not in only_answers]
    return made
