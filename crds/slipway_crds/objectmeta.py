"""Kubernetes' own rules for `metadata`, which hold for every kind in addition to its own.

The twin of `ValidateObjectMetaAccessor` in k8s.io/apimachinery/pkg/api/validation/objectmeta.go, for creation.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from slipway_crds.manifests import FieldProblem
from slipway_crds.structural import Schema

_STRING: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}
_TIME: Schema = {"type": "string", "format": "date-time"}
_FLAG: Schema = {"type": "boolean"}
_STRINGS: Schema = {"type": "object", "additionalProperties": _STRING}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties}


METADATA: Schema = _object(
    name=_STRING,
    generateName=_STRING,
    namespace=_STRING,
    selfLink=_STRING,
    uid=_STRING,
    resourceVersion=_STRING,
    generation=_NUMBER,
    creationTimestamp=_TIME,
    deletionTimestamp=_TIME,
    deletionGracePeriodSeconds=_NUMBER,
    labels=_STRINGS,
    annotations=_STRINGS,
    finalizers={"type": "array", "items": _STRING},
    ownerReferences={
        "type": "array",
        "items": _object(
            apiVersion=_STRING,
            kind=_STRING,
            name=_STRING,
            uid=_STRING,
            controller=_FLAG,
            blockOwnerDeletion=_FLAG,
        ),
    },
    managedFields={
        "type": "array",
        "items": _object(
            manager=_STRING,
            operation=_STRING,
            apiVersion=_STRING,
            time=_TIME,
            fieldsType=_STRING,
            fieldsV1={"type": "object"},
            subresource=_STRING,
        ),
    },
)
"""Fields and types of ObjectMeta; null stands for absent everywhere."""

_ANNOTATIONS_MAX = 256 * 1024
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_WORD = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_GENERATED = "x" * 5
"""Stands for the five letters and digits that the API server appends to `generateName`."""

_NAME_HINT = "lower-case letters, digits and dashes, like handbook-2"
_KEY_HINT = "at most 63 letters, digits, dashes, underscores and dots, perhaps after a domain and a slash"


def with_generated_name(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata with a name where only `generateName` is given, as rules see it."""
    prefix = metadata.get("generateName")
    if metadata.get("name") or not prefix:
        return {"name": "", **metadata}
    return {**metadata, "name": prefix[:58] + _GENERATED}


def is_time(text: str) -> bool:
    """Whether Go's RFC 3339 parser takes the text."""
    if not _RFC3339.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(re.sub(r"\.\d+", "", text))
    except ValueError:
        return False
    return True


def is_subdomain(text: str) -> bool:
    """Whether most kinds, ConfigMaps too, may be called so (RFC 1123)."""
    return len(text) <= 253 and _SUBDOMAIN.fullmatch(text) is not None


def metadata_problems(metadata: Mapping[str, Any]) -> Iterator[FieldProblem]:
    """What Kubernetes itself refuses in metadata whose types are right and whose nulls are gone."""
    yield from _names(metadata)
    for key, value in metadata.get("labels", {}).items():
        if not _is_qualified(key):
            yield FieldProblem("metadata.labels", f"{key!r} is no key of a label: write {_KEY_HINT}")
        if value and not _WORD.fullmatch(value):
            yield FieldProblem(
                f"metadata.labels.{key}",
                "must be at most 63 letters, digits, dashes, underscores and dots, beginning and ending with a letter"
                " or digit; what does not fit belongs into an annotation",
            )
    yield from _annotations(metadata.get("annotations", {}))
    yield from _finalizers(metadata.get("finalizers", []))
    yield from _owners(metadata.get("ownerReferences", []))


def _names(metadata: Mapping[str, Any]) -> Iterator[FieldProblem]:
    name, prefix = metadata.get("name", ""), metadata.get("generateName", "")
    if not name and not prefix:
        yield FieldProblem("metadata.name", f"is missing: give the object a name of {_NAME_HINT}")
    masked = prefix[:-2] + "a" if len(prefix) > 1 and prefix.endswith("-") else prefix
    if prefix and not (len(prefix) <= 253 and is_subdomain(masked)):
        yield FieldProblem("metadata.generateName", f"must be the beginning of a name: {_NAME_HINT}")
    namespace = metadata.get("namespace", "")
    if namespace and not _LABEL.fullmatch(namespace):
        yield FieldProblem("metadata.namespace", f"must be at most 63 {_NAME_HINT}")


def _annotations(annotations: Mapping[str, str]) -> Iterator[FieldProblem]:
    for key in annotations:
        if not _is_qualified(key.lower()):
            yield FieldProblem("metadata.annotations", f"{key!r} is no key of an annotation: write {_KEY_HINT}")
    size = sum(len(text.encode()) for pair in annotations.items() for text in pair)
    if size > _ANNOTATIONS_MAX:
        yield FieldProblem(
            "metadata.annotations",
            f"are {size} bytes, {_ANNOTATIONS_MAX} at most: put what is large into a ConfigMap",
        )


def _finalizers(finalizers: list[str]) -> Iterator[FieldProblem]:
    for finalizer in finalizers:
        if not _is_qualified(finalizer):
            yield FieldProblem("metadata.finalizers", f"{finalizer!r} is no finalizer: write {_KEY_HINT}")
    if {"orphan", "foregroundDeletion"} <= set(finalizers):
        yield FieldProblem("metadata.finalizers", "cannot be both orphan and foregroundDeletion: keep one of the two")


def _owners(owners: list[Mapping[str, Any]]) -> Iterator[FieldProblem]:
    for position, owner in enumerate(owners):
        for name in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(name):
                yield FieldProblem(f"metadata.ownerReferences[{position}].{name}", "is missing: copy it from the owner")
        if (owner.get("apiVersion"), owner.get("kind")) == ("v1", "Event"):
            yield FieldProblem(f"metadata.ownerReferences[{position}]", "an Event cannot own anything: remove it")
    if sum(1 for owner in owners if owner.get("controller")) > 1:
        yield FieldProblem(
            "metadata.ownerReferences", "more than one says `controller: true`: an object has one controller"
        )


def _is_qualified(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    return (not slash or is_subdomain(prefix)) and _WORD.fullmatch(name) is not None
