"""Kubernetes' own rules for ConfigMaps, which hold the documents.

The twin of `ValidateConfigMap` in k8s.io/kubernetes/pkg/apis/core/validation/validation.go, and of how the API server
decodes `binaryData`.
"""

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any

from slipway_crds.manifests import FieldProblem, format_place
from slipway_crds.objectmeta import METADATA, is_subdomain
from slipway_crds.structural import Schema

API_VERSION, KIND = "v1", "ConfigMap"
LARGEST = 1024 * 1024
"""Bytes of all values of one ConfigMap."""

_STRING: Schema = {"type": "string"}
_STRINGS: Schema = {"type": "object", "additionalProperties": _STRING}
CONFIG_MAP: Schema = {
    "type": "object",
    "properties": {
        "apiVersion": _STRING,
        "kind": _STRING,
        "metadata": METADATA,
        "data": _STRINGS,
        "binaryData": _STRINGS,
        "immutable": {"type": "boolean"},
    },
}
"""Fields and types; null stands for absent."""

_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")


def is_config_map(document: Mapping[str, Any]) -> bool:
    """Whether an object is a ConfigMap."""
    return document.get("apiVersion") == API_VERSION and document.get("kind") == KIND


def decoded(text: str) -> bytes:
    """A value of `binaryData`. Line breaks in it do not count.

    Raises:
        ValueError: if it is not base64.
    """
    return base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)


def config_map_problems(config_map: Mapping[str, Any]) -> Iterator[FieldProblem]:
    """What Kubernetes refuses in a ConfigMap whose types are right and whose nulls are gone."""
    name = config_map["metadata"].get("name", "")
    if name and not is_subdomain(name):
        yield FieldProblem(
            "metadata.name", "must be at most 253 lower-case letters, digits, dashes and dots, like docs-2"
        )
    data, binary = config_map.get("data", {}), config_map.get("binaryData", {})
    for field, key in [*(("data", key) for key in data), *(("binaryData", key) for key in binary)]:
        if not _KEY.fullmatch(key) or key == "." or key.startswith(".."):
            yield FieldProblem(
                format_place((field, key)),
                "cannot be a key: write at most 253 letters, digits, dashes, underscores and dots, like guide-intro.md",
            )
    for key in data.keys() & binary.keys():
        yield FieldProblem(format_place(("binaryData", key)), "is a key of data too: keep one of the two")
    size = sum(len(text.encode()) for text in data.values())
    for key, text in binary.items():
        try:
            size += len(decoded(text))
        except ValueError as error:
            yield FieldProblem(format_place(("binaryData", key)), f"must be base64 ({error}): text belongs into data")
    if size > LARGEST:
        yield FieldProblem("data", f"has {size} bytes, {LARGEST} at most: spread the documents over several ConfigMaps")
