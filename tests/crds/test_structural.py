"""Each thing that pydantic emits becomes what a CRD has for it, and what a CRD cannot say is refused."""

from enum import StrEnum
from typing import Annotated, Any, Literal, Optional

import pytest
from pydantic import BaseModel, ConfigDict, Field

from slipway_crds.fields import same
from slipway_crds.structural import NotStructural, strip, structural_schema


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(BaseModel):
    """An inner object."""

    model_config = ConfigDict(extra="forbid")
    size: int = 3
    note: str | None = None


class Node(BaseModel):
    children: list["Node"] = []


def field(annotation: Any, default: Any = ...) -> dict[str, Any]:
    """The structural schema of one field of a model."""
    namespace = {"__annotations__": {"field": annotation}}
    if default is not ...:
        namespace["field"] = default
    return dict(structural_schema(type("Model", (BaseModel,), namespace))["properties"]["field"])


INNER = {
    "description": "An inner object.",
    "type": "object",
    "properties": {"size": {"type": "integer", "default": 3}, "note": {"type": "string"}},
}


@pytest.mark.parametrize(
    ("annotation", "default", "expected"),
    [
        pytest.param(str, ..., {"type": "string"}, id="titles are dropped"),
        pytest.param(str | None, None, {"type": "string"}, id="optional"),
        pytest.param(Optional[int], 3, {"type": "integer", "default": 3}, id="optional with a default"),  # noqa: UP045
        pytest.param(Inner, ..., INNER, id="references are inlined, closed objects opened for pruning"),
        pytest.param(Inner | None, None, INNER, id="optional reference"),
        pytest.param(Inner, Inner(), {**INNER, "default": {"size": 3}}, id="defaults are whole and free of nulls"),
        pytest.param(list[Inner], ..., {"type": "array", "items": INNER}, id="lists of references"),
        pytest.param(
            Annotated[Inner, Field(description="Of this one.")],
            ...,
            {**INNER, "description": "Of this one."},
            id="what stands at the reference wins",
        ),
        pytest.param(Literal["one"], ..., {"type": "string", "enum": ["one"]}, id="const"),
        pytest.param(Literal["a", "b"], ..., {"type": "string", "enum": ["a", "b"]}, id="enum"),
        pytest.param(Colour, ..., {"type": "string", "enum": ["red", "blue"]}, id="enum class"),
        pytest.param(
            Annotated[int, Field(gt=0, lt=9)],
            ...,
            {"type": "integer", "minimum": 0, "exclusiveMinimum": True, "maximum": 9, "exclusiveMaximum": True},
            id="exclusive bounds are flags",
        ),
        pytest.param(int | str, ..., {"x-kubernetes-int-or-string": True}, id="int or string"),
        pytest.param(
            set[str],
            ...,
            {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
            id="sets",
        ),
        pytest.param(Any, ..., {"x-kubernetes-preserve-unknown-fields": True}, id="anything"),
        pytest.param(dict[str, Inner], ..., {"type": "object", "additionalProperties": INNER}, id="maps to references"),
        pytest.param(
            dict[str, Any],
            ...,
            {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            id="objects of anything",
        ),
    ],
)
def test_pydantic_becomes_structural(annotation: Any, default: Any, expected: dict[str, Any]) -> None:
    assert field(annotation, default) == expected


@pytest.mark.parametrize(
    ("annotation", "says"),
    [
        pytest.param(Node, "contains itself", id="recursion"),
        pytest.param(int | list[str], "no anyOf", id="unions"),
        pytest.param(Annotated[Inner | Node, Field(union_mode="left_to_right")], "no anyOf", id="unions of models"),
        pytest.param(tuple[int, str], "no prefixItems", id="tuples"),
        pytest.param(Annotated[str, Field(examples=["x"])], "no examples", id="unknown keywords"),
    ],
)
def test_what_a_crd_cannot_say_is_refused(annotation: Any, says: str) -> None:
    with pytest.raises(NotStructural, match=says):
        field(annotation)


def test_what_only_slipway_understands_is_stripped_everywhere() -> None:
    noted = Annotated[str, same("The same.")]
    schema = field(Annotated[list[dict[str, noted]], same("The same.")])
    assert "x-slipway-local" in str(schema)
    assert strip({"type": "object", "properties": {"field": schema}}) == {
        "type": "object",
        "properties": {
            "field": {"type": "array", "items": {"type": "object", "additionalProperties": {"type": "string"}}}
        },
    }
