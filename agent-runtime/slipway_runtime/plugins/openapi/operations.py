"""The operations of an OpenAPI document, each as a tool that can be called. Pure: what cannot be one is named."""

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from slipway_crds.fields import matches
from slipway_crds.servers import RESERVED_HEADERS
from slipway_runtime.plugins.openapi.document import Json, resolved
from slipway_runtime.plugins.openapi.schemas import SchemaTooLarge, ToolSchemas

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
READING = frozenset({"get", "head", "options", "trace"})
REPEATABLE = READING | {"put", "delete"}
MOST_OPERATIONS = 1000
LONGEST_NAME = 64
DESCRIPTION = 1024
MOST_SCHEMA = 32 * 1024
"""Bytes of the schema of a tool: a hundred of them have to fit into one answer."""
FORM = "application/x-www-form-urlencoded"
BODY = "body"
Place = Literal["path", "query", "header"]
_NOT_IN_NAMES = re.compile(r"[^0-9A-Za-z-]+")
_NOT_IN_ARGUMENTS = re.compile(r"[^0-9A-Za-z_.-]+")


@dataclass(frozen=True, kw_only=True)
class ApiParameter:
    """A parameter of an operation.

    Args:
        argument: what it is called among a tool's arguments.
        style: how lists and objects are written, as OpenAPI names it; `json` for one with `content`.
    """

    argument: str
    name: str
    place: Place
    required: bool
    style: str
    explode: bool


@dataclass(frozen=True, kw_only=True)
class ApiOperation:
    """What a tool calls."""

    name: str
    method: str
    path: str
    description: str
    parameters: tuple[ApiParameter, ...]
    body_type: str
    """Of the request; empty if it has none."""
    body_required: bool
    input_schema: Mapping[str, Any]


class CannotBeCalled(Exception):
    """An operation that can be no tool; the text says why."""


@dataclass(frozen=True)
class ApiOperations:
    """The operations that can be called, and a sentence on the others; empty if there are none."""

    known: tuple[ApiOperation, ...]
    note: str = ""


def operations_of(document: Json, wanted: Collection[str] | None) -> ApiOperations:
    """The operations of a document.

    Args:
        wanted: operation ids or `GET /path`; None for all of them.
    """
    found: dict[str, ApiOperation] = {}
    left_out, seen, many = list[str](), set[str](), 0
    for method, path, item, given in _listed(document):
        names = {f"{method.upper()} {path}", str(given.get("operationId"))}
        if wanted is not None and not names & set(wanted):
            continue
        seen |= names
        if len(found) >= MOST_OPERATIONS:
            many += 1
            continue
        try:
            operation = _operation(document, method, path, item, given, taken=found)
        except (CannotBeCalled, LookupError) as error:
            left_out.append(f"{method.upper()} {path[:100]} ({error})")
        else:
            found[operation.name] = operation
    missing = [each for each in wanted or () if each not in seen]
    notes = [
        f"{many} operations beyond the first {MOST_OPERATIONS} are left out: choose with operations" if many else "",
        f"the document has no operation {', '.join(missing[:5])}: see operations" if missing else "",
        f"{len(left_out)} operations are left out: {'; '.join(left_out[:3])}" if left_out else "",
    ]
    return ApiOperations(tuple(found.values()), "; ".join(filter(None, notes)))


def _listed(document: Json) -> Iterator[tuple[str, str, Mapping[str, Any], Mapping[str, Any]]]:
    paths = document.get("paths")
    for path, listed in paths.items() if isinstance(paths, Mapping) else ():
        try:
            item = resolved(document, listed)
        except LookupError:
            continue
        for method in METHODS if isinstance(item, Mapping) and path.startswith("/") else ():
            if isinstance(given := item.get(method), Mapping):
                yield method, path, item, given


def _operation(
    document: Json,
    method: str,
    path: str,
    item: Mapping[str, Any],
    given: Mapping[str, Any],
    *,
    taken: Collection[str],
) -> ApiOperation:
    body_type, body_schema, body_required = _body(document, given)
    parameters = _parameters(document, path, item, given, reserved={BODY} if body_type else set())
    return ApiOperation(
        name=_name(method, path, given, taken),
        method=method.upper(),
        path=path,
        description=_description(method, path, given),
        parameters=tuple(each for each, _ in parameters),
        body_type=body_type,
        body_required=body_required,
        input_schema=_input_schema(document, parameters, body_schema if body_type else None, required=body_required),
    )


def _name(method: str, path: str, given: Mapping[str, Any], taken: Collection[str]) -> str:
    """Of letters, digits, dashes and underscores, and one that no other operation has."""
    wanted = given.get("operationId")
    text = wanted if isinstance(wanted, str) and wanted else f"{method}_{path}"
    name = _NOT_IN_NAMES.sub("_", text).strip("_-") or method
    if len(name) <= LONGEST_NAME and name not in taken:
        return name
    digest = hashlib.sha256(f"{method} {path}".encode()).hexdigest()[:8]
    return f"{name[: LONGEST_NAME - 9]}_{digest}"


def _description(method: str, path: str, given: Mapping[str, Any]) -> str:
    texts = [given[name] for name in ("summary", "description") if isinstance(given.get(name), str)]
    return "\n".join(dict.fromkeys(texts))[:DESCRIPTION] or f"{method.upper()} {path}"[:DESCRIPTION]


def _parameters(
    document: Json, path: str, item: Mapping[str, Any], given: Mapping[str, Any], *, reserved: set[str]
) -> list[tuple[ApiParameter, Mapping[str, Any]]]:
    """The parameters with what the document says of each. Raises CannotBeCalled or LookupError."""
    by_place: dict[tuple[str, str], Mapping[str, Any]] = {}
    for listed in (item.get("parameters"), given.get("parameters")):
        for each in listed if isinstance(listed, list) else ():
            value = resolved(document, each)
            if isinstance(value, Mapping) and isinstance(value.get("name"), str):
                by_place[str(value.get("in")), value["name"]] = value
    made, arguments = list[tuple[ApiParameter, Mapping[str, Any]]](), set(reserved)
    for (place, name), value in by_place.items():
        if (place == "header" and matches(RESERVED_HEADERS, name)) or (place, name.lower()) == (
            "header",
            "authorization",
        ):
            continue
        if place not in ("path", "query", "header"):
            if value.get("required") is True:
                raise CannotBeCalled(f"it needs {name[:64]} in {place[:20]}")
            continue
        argument = _argument(place, name, arguments)
        arguments.add(argument)
        made.append((_parameter(argument, place, name, value), value))  # type: ignore[arg-type]
    known = {each.name for each, _ in made if each.place == "path"}
    if missing := [each for each in re.findall(r"{([^{}]*)}", path) if each not in known]:
        raise CannotBeCalled(f"its path has {{{missing[0][:64]}}}, which is no parameter")
    return made


def _argument(place: str, name: str, taken: Collection[str]) -> str:
    base = _NOT_IN_ARGUMENTS.sub("_", name)[:LONGEST_NAME].strip("_") or place
    for candidate in (base, f"{place}_{base}"[:LONGEST_NAME]):
        if candidate not in taken:
            return candidate
    raise CannotBeCalled(f"two of its parameters are called {name[:64]}")


def _parameter(argument: str, place: Place, name: str, value: Mapping[str, Any]) -> ApiParameter:
    style = value.get("style")
    style = style if isinstance(style, str) else "form" if place == "query" else "simple"
    explode = value.get("explode")
    return ApiParameter(
        argument=argument,
        name=name,
        place=place,
        required=value.get("required") is True or place == "path",
        style="json" if _content_schema(value) is not None else style,
        explode=explode if isinstance(explode, bool) else style == "form",
    )


def _content_schema(value: Mapping[str, Any]) -> Any:
    content = value.get("content")
    media = next(iter(content.values()), None) if isinstance(content, Mapping) else None
    return media.get("schema", {}) if isinstance(media, Mapping) else None


def _body(document: Json, given: Mapping[str, Any]) -> tuple[str, Any, bool]:
    """Media type, schema, and whether a body has to be there. Raises CannotBeCalled or LookupError."""
    body = resolved(document, given.get("requestBody"))
    content = body.get("content") if isinstance(body, Mapping) else None
    if not isinstance(content, Mapping) or not content:
        return "", None, False
    required = body.get("required") is True
    for kind, media in content.items():
        plain = kind.partition(";")[0].strip().lower()
        if plain == "application/json" or plain.endswith("+json") or plain == FORM:
            return plain, media.get("schema") if isinstance(media, Mapping) else None, required
    if required:
        raise CannotBeCalled(f"it takes only {', '.join(content)[:100]}")
    return "", None, False


def _input_schema(
    document: Json, parameters: list[tuple[ApiParameter, Mapping[str, Any]]], body: Any, *, required: bool
) -> Mapping[str, Any]:
    """Of a tool's arguments. A schema that is too large for a model is left out: any value is taken then."""
    try:
        schema = _schema(document, parameters, body, required=required, whole=True)
        if len(orjson.dumps(schema, default=str)) <= MOST_SCHEMA:
            return schema
    except SchemaTooLarge:
        pass
    return _schema(document, parameters, body, required=required, whole=False)


def _schema(
    document: Json, parameters: list[tuple[ApiParameter, Mapping[str, Any]]], body: Any, *, required: bool, whole: bool
) -> Mapping[str, Any]:
    schemas = ToolSchemas(document)
    properties: dict[str, Any] = {}
    for parameter, value in parameters:
        content = _content_schema(value)
        schema = schemas.converted(value.get("schema", {}) if content is None else content) if whole else {}
        said = value.get("description")
        described = {"description": said[:DESCRIPTION]} if isinstance(said, str) else {}
        properties[parameter.argument] = {**described, **(schema if isinstance(schema, dict) else {})}
    needed = [each.argument for each, _ in parameters if each.required]
    if body is not None:
        properties[BODY] = schemas.converted(body) if whole else {"type": "object"}
        needed += [BODY] if required else []
    definitions = schemas.definitions()
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema | ({"required": needed} if needed else {}) | ({"$defs": definitions} if definitions else {})
