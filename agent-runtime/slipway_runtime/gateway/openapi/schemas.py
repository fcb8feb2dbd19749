"""The document's schemas: pydantic models by reference, all of which are defined in one place."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

TEMPLATE = "#/components/schemas/{model}"
_referenced: dict[type[BaseModel], None] = {}


def ref(model: type[BaseModel]) -> dict[str, str]:
    """A reference to a model's schema, which becomes a part of the document."""
    _referenced[model] = None
    return {"$ref": TEMPLATE.format(model=model.__name__)}


def definitions() -> Mapping[str, Any]:
    """The schemas of all models that are referred to, and of what is in them, by name."""
    _, schema = models_json_schema([(model, "validation") for model in _referenced], ref_template=TEMPLATE)
    found: Mapping[str, Any] = schema["$defs"]
    return dict(sorted(found.items()))
