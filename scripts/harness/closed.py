"""Closed pydantic models: an unknown key is refused, with a message that says what to write."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from scripts.harness.problems import Path

Identifier = Annotated[str, Field(pattern=r"^[a-zA-Z_][0-9a-zA-Z_]{0,127}$")]
Text = Annotated[str, Field(min_length=1)]


class Closed(BaseModel):
    """A mapping with these keys and no others, written in camel case."""

    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


def complaints(shape: type[BaseModel], document: Any) -> Iterator[tuple[Path, str]]:
    """Where a document does not fit a shape, and what to write instead; nothing if it fits."""
    try:
        shape.model_validate(document)
    except ValidationError as error:
        for found in error.errors(include_url=False):
            message = found["msg"].removeprefix("Value error, ")
            if found["type"] == "extra_forbidden":
                known = ", ".join(sorted(field.alias or name for name, field in shape.model_fields.items()))
                here = f"; known here: {known}" if len(found["loc"]) == 1 else ""
                message = f"unknown key {found['loc'][-1]!r}; correct it, or add it to {_module(shape)}{here}"
            elif found["type"] == "missing":
                message = f"the key {found['loc'][-1]!r} is missing; add it"
            yield tuple(found["loc"]), message


def _module(shape: type[BaseModel]) -> str:
    return f"{shape.__module__.replace('.', '/')}.py"
