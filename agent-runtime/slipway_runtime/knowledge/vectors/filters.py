"""What narrows a search: data only, with the same meaning on every back end.

A field is an attribute of a chunk: what its document says of itself (`metadata`), or where it comes from. Logic has two
values: a comparison with an attribute that is missing is false, and `ne` and `not_in` are the negations of `eq` and
`in`, so they hold for what lacks the attribute. The types are number, string and truth value: values of different types
are unequal and have no order, and strings are ordered by code points. Of an attribute that is a list, `eq` and `in`
look at its elements as `contains_any` does, which takes a single value for a list of one; a list has no order. `holds`
says it in code.
"""

import math
import operator
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Scalar = str | int | float | bool
Attributes = Mapping[str, Scalar | Sequence[str]]
"""Of a chunk, by name. What is null is left out, and so are numbers that are not finite."""
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


ORDERED: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
"""What compares by order."""


def holds(where: Filter, attributes: Attributes) -> bool:
    """Whether the filter leaves what has these attributes: the meaning that every back end keeps to."""
    match where:
        case Compare(field, op, value):
            return _compares(attributes.get(field), op, value)
        case Among(field, op, values):
            return any(_equal(attributes.get(field), value) for value in values) is not (op == "not_in")
        case Exists(field, present):
            return (field in attributes) is present
        case AllOf(parts):
            return all(holds(part, attributes) for part in parts)
        case AnyOf(parts):
            return any(holds(part, attributes) for part in parts)
        case Not(part):
            return not holds(part, attributes)


def _compares(found: Scalar | Sequence[str] | None, op: Order, value: Scalar) -> bool:
    if op in ("eq", "ne"):
        return _equal(found, value) is (op == "eq")
    return value_type(found) is value_type(value) and ORDERED[op](found, value)


def _equal(found: Scalar | Sequence[str] | None, value: Scalar) -> bool:
    if isinstance(found, Sequence) and not isinstance(found, str):
        return value in found
    return value_type(found) is value_type(value) and found == value


def value_type(value: object) -> type | None:
    """Number (as float), string or truth value; None for everything else."""
    if isinstance(value, bool | str):
        return type(value)
    return float if isinstance(value, int | float) else None


def kept_attributes(attributes: Attributes) -> dict[str, Scalar | list[str]]:
    """The attributes that a back end keeps: those that are values, or lists of strings."""
    kept: dict[str, Scalar | list[str]] = {}
    for name, value in attributes.items():
        if isinstance(value, bool | str | int) or (isinstance(value, float) and math.isfinite(value)):
            kept[name] = value
        elif isinstance(value, Sequence):
            kept[name] = [element for element in value if isinstance(element, str)]
    return kept


def check(where: Filter, operators: Collection[Operator], back_end: str) -> None:
    """Refuse what a back end cannot do, before it is called.

    Args:
        operators: those that it has.
        back_end: its name, for people.

    Raises:
        UnsupportedFilter: for another operator, or a number that is not finite.
    """
    for op, values in _parts(where):
        if op not in operators:
            has = ", ".join(sorted(operators)) or "none"
            raise UnsupportedFilter(f"{back_end} has no operator {op} for filters; it has: {has}")
        if any(isinstance(value, float) and not math.isfinite(value) for value in values):
            raise UnsupportedFilter(f"the number of a filter with {op} must be finite")


def _parts(where: Filter) -> Iterator[tuple[Operator, tuple[Scalar, ...]]]:
    """Every operator of the tree with its values."""
    match where:
        case Compare(_, op, value):
            yield op, (value,)
        case Among(_, membership, values):
            yield membership, values
        case Exists():
            yield "exists", ()
        case AllOf(parts) | AnyOf(parts):
            yield "and" if isinstance(where, AllOf) else "or", ()
            for part in parts:
                yield from _parts(part)
        case Not(part):
            yield "not", ()
            yield from _parts(part)
