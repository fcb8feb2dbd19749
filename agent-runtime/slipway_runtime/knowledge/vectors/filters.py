"""What narrows a search: data only, with the same meaning on every back end.

A field is an attribute of a chunk: what its document says of itself (`metadata`), or where it comes from. Logic has two
values: a comparison with an attribute that is missing is false, and `ne` and `not_in` are the negations of `eq` and
`in`, so they hold for what lacks the attribute. Values of different types are unequal and have no order. Of an
attribute that is a list, `eq` and `in` look at its elements as `contains_any` does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Scalar = str | int | float | bool
Attributes = Mapping[str, Scalar | Sequence[str]]
"""Of a chunk, by name. What is null is left out."""
Order = Literal["eq", "ne", "gt", "gte", "lt", "lte"]
Membership = Literal["in", "not_in", "contains_any"]
Operator = Order | Membership | Literal["exists", "and", "or", "not"]


@dataclass(frozen=True)
class Compare:
    """An attribute and a value."""

    field: str
    op: Order
    value: Scalar


@dataclass(frozen=True)
class Among:
    """An attribute and a list of values; an empty list has nothing among it."""

    field: str
    op: Membership
    values: tuple[Scalar, ...]


@dataclass(frozen=True)
class Exists:
    """Whether the attribute is there."""

    field: str
    present: bool = True


@dataclass(frozen=True)
class AllOf:
    """All of them hold; so it is of none."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True)
class AnyOf:
    """One of them holds; none of none does."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True)
class Not:
    """It does not hold."""

    part: "Filter"


Filter = Compare | Among | Exists | AllOf | AnyOf | Not


class UnsupportedFilter(ValueError):
    """The back end cannot narrow a search so; the text names the operator and what to use instead. Nothing was sent."""
