"""What an API server makes of an object before it validates it: nulls pruned, defaults filled in.

The twin of `schema/defaulting/{prunenulls,algorithm}.go` in k8s.io/apiextensions-apiserver, for schemas without
nullable fields, of which Slipway has none.
"""

from collections.abc import Mapping
from typing import Any


def fill(value: Any, schema: Mapping[str, Any]) -> Any:
    """A copy of a value with its schema's defaults.

    A null member counts as absent; a null among a list's items stays, for validation to refuse. What the schema does
    not know is kept.
    """
    if isinstance(value, list):
        items = schema.get("items", {})
        return [fill(item, items) for item in value]
    if not isinstance(value, dict):
        return value
    properties: Mapping[str, Any] = schema.get("properties", {})
    given = {name: child for name, child in value.items() if child is not None}
    defaults = {name: child["default"] for name, child in properties.items() if "default" in child}
    return {name: fill(child, properties.get(name, {})) for name, child in {**defaults, **given}.items()}
