"""Reading an OpenAPI document that somebody else wrote: bounded in size and depth, without aliases of YAML."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import orjson
import yaml

from slipway_crds.contract import INVALID_DOCUMENT
from slipway_runtime.plugins.loaded import PluginNotLoaded

MOST_BYTES = 4 * 1024 * 1024
MOST_DEPTH = 200
VERSIONS = ("3.0", "3.1")
Json = Mapping[str, Any]


def read_document(source: bytes) -> Json:
    """The document.

    Raises:
        PluginNotLoaded: `InvalidDocument`, with what is wrong with it.
    """
    if len(source) > MOST_BYTES:
        raise invalid(
            f"has {len(source)} bytes, {MOST_BYTES} at most: take out the operations and examples that nobody needs"
        )
    try:
        value = orjson.loads(source) if source.lstrip()[:1] == b"{" else _yaml(source)
    except (orjson.JSONDecodeError, yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise invalid(f"is neither JSON nor YAML: {_line(error)}") from None
    if not isinstance(value, dict) or not _shallow(value):
        raise invalid(f"must be an object, with at most {MOST_DEPTH} objects and lists within each other")
    version = str(value.get("openapi") or value.get("swagger") or "of no version")
    if not version.startswith(VERSIONS):
        raise invalid(
            f"must be OpenAPI 3.0 or 3.1, and is {version[:20]}: convert it, for example with swagger2openapi"
        )
    return value


def invalid(what: str) -> PluginNotLoaded:
    """What is wrong with a document."""
    return PluginNotLoaded(INVALID_DOCUMENT, f"the OpenAPI document {what}")


def resolved(document: Json, value: Any) -> Any:
    """What a value refers to by `$ref`, if it does; within the document alone.

    Raises:
        LookupError: if there is nothing there, or it refers elsewhere.
    """
    seen: set[str] = set()
    while isinstance(value, Mapping) and isinstance(ref := value.get("$ref"), str):
        if ref in seen:
            raise LookupError(f"{ref} refers to itself")
        seen.add(ref)
        value = at(document, ref)
    return value


def at(document: Json, ref: str) -> Any:
    """What is at a reference like `#/components/schemas/Order`. Raises LookupError."""
    if not ref.startswith("#/"):
        raise LookupError(f"{ref[:100]} is outside the document: put what it names into it")
    found: Any = document
    for part in ref[2:].split("/"):
        name = unquote(part).replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        else:
            raise LookupError(f"{ref[:100]} is not in the document")
    return found


def _yaml(source: bytes) -> Any:
    """As JSON has it: keys are text, and so are times. Raises ValueError."""
    text, depth = source.decode(), 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("aliases (*name) are not taken: write out what they stand for, or use $ref")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEPTH:
            raise ValueError(f"there are more than {MOST_DEPTH} objects and lists within each other")
    loaded = yaml.load(text, Loader=yaml.CSafeLoader)
    return orjson.loads(orjson.dumps(loaded, option=orjson.OPT_NON_STR_KEYS, default=str))


def _shallow(value: Any) -> bool:
    level = [value]
    for _ in range(MOST_DEPTH):
        level = [
            child
            for each in level
            for child in (each.values() if isinstance(each, dict) else each)
            if isinstance(child, dict | list)
        ]
        if not level:
            return True
    return False


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
