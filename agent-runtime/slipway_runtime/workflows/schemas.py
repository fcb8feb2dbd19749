"""Values against the JSON Schemas of a workflow."""

import functools
from collections.abc import Mapping
from typing import Any

import orjson
from jsonschema import Draft202012Validator

from slipway_crds.outputschema import canonical_schema


def misfit(schema: Mapping[str, Any], value: Any) -> str:
    """How a value does not fit, as a sentence that goes on after what the value is; empty if it fits."""
    for error in _validator(canonical_schema(schema)).iter_errors(value):
        where = "/".join(map(str, error.absolute_path))
        return f"does not fit its schema: {f'{where}: ' if where else ''}{error.message[:300]}"
    return ""


@functools.lru_cache(maxsize=256)
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(orjson.loads(schema))
