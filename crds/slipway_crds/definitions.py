"""The CustomResourceDefinitions, made from the kinds."""

from collections.abc import Iterator, Mapping
from typing import Any

from slipway_crds.meta import API_VERSION, GROUP, VERSION, CustomObject
from slipway_crds.structural import Schema, strip, structural_schema

_METADATA: Schema = {"type": "object", "properties": {"name": {"type": "string"}}}
"""All that a CRD may say of metadata: no description, and of its fields the name, so that a rule can point at it."""


def kind_schema(kind: type[CustomObject]) -> Schema:
    """The schema of a whole object, with what only Slipway understands still in it.

    Raises:
        ValueError: if a field has no description.
    """
    schema = structural_schema(kind)
    schema["properties"]["metadata"] = _METADATA
    schema["properties"] = {
        "apiVersion": {"type": "string", "description": f"Version of the schema: {API_VERSION}."},
        **schema["properties"],
        "kind": {"type": "string", "description": f"The kind of the object: {kind.__name__}."},
    }
    schema["required"] = ["spec"]
    silent = [path for path, field in fields(schema) if not field.get("description") and not _is_metadata(path)]
    if silent:
        raise ValueError(f"{kind.__name__}: describe what these fields do: {', '.join(silent)}")
    return schema


def _is_metadata(path: str) -> bool:
    return path.partition(".")[0] == "metadata"


def fields(schema: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every field of a schema as (path, schema), parents before their members; `[]` stands for a list's items."""
    for name, child in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        yield path, child
        yield from fields(child, f"{path}.")
        if "items" in child:
            yield from fields(child["items"], f"{path}[].")


def custom_resource_definition(kind: type[CustomObject]) -> dict[str, Any]:
    """The manifest to apply: one version, stored as it is, status as a subresource."""
    name = kind.__name__
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": name,
                "listKind": f"{name}List",
                "plural": kind.PLURAL,
                "singular": name.lower(),
                "shortNames": list(kind.SHORT_NAMES),
                "categories": ["slipway"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": [dict(column) for column in kind.PRINTER_COLUMNS],
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": strip(kind_schema(kind))},
                }
            ],
        },
    }
