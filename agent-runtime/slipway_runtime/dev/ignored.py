"""Fields of a manifest that the local driver does not heed, as warnings.

Every field of the kinds says what becomes of it locally (`x-slipway-local`), so nothing is listed here: what the
reference says and what is warned about are the same words.
"""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from slipway_crds.agent import Agent
from slipway_crds.fields import Local
from slipway_crds.vectorindex import VectorIndex

KINDS: dict[str, type[BaseModel]] = {"Agent": Agent, "VectorIndex": VectorIndex}


def ignored_fields(document: Mapping[str, Any]) -> list[str]:
    """One sentence for every field that the manifest sets and the local driver ignores."""
    kind = KINDS.get(document.get("kind", ""))
    spec = document.get("spec")
    if kind is None or not isinstance(spec, Mapping):
        return []
    metadata = document.get("metadata") or {}
    subject = f"{document['kind']} {metadata.get('namespace') or 'default'}/{metadata.get('name')}"
    model = _model_of(kind.model_fields["spec"])
    assert model is not None
    return [f"{subject}: {path} has no effect here. {statement}" for path, statement in _ignored(model, spec, "spec")]


def _ignored(model: type[BaseModel], value: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """The outermost ignored fields: what is below one of them is ignored with it."""
    for name, field in model.model_fields.items():
        key = field.alias or name
        if value.get(key) is None:
            continue
        behaviour, statement = _local(field)
        if behaviour == Local.IGNORED:
            yield f"{path}.{key}", statement
        else:
            yield from _below(field, value[key], f"{path}.{key}")


def _below(field: FieldInfo, value: Any, path: str) -> Iterator[tuple[str, str]]:
    model = _model_of(field)
    if model is None:
        return
    if isinstance(value, Mapping):
        yield from _ignored(model, value, path)
    elif isinstance(value, list):
        for position, item in enumerate(value):
            if isinstance(item, Mapping):
                yield from _ignored(model, item, f"{path}[{position}]")


def _local(field: FieldInfo) -> tuple[str, str]:
    extra = field.json_schema_extra
    local = extra.get("x-slipway-local") if isinstance(extra, dict) else None
    if not isinstance(local, dict):
        return Local.SAME, ""
    return str(local["behaviour"]), str(local["statement"])


def _model_of(field: FieldInfo) -> type[BaseModel] | None:
    """The model that a field holds: by itself, optionally, or in a list."""
    waiting = [field.annotation]
    while waiting:
        annotation = waiting.pop()
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return annotation
        waiting.extend(get_args(annotation))
    return None
