"""The one JSON form of filters, for every protocol: a condition, or conditions that are joined.

`{"field": "team", "op": "eq", "value": "billing"}`, `{"and": [...]}`, `{"or": [...]}`, `{"not": {...}}`.
"""

from collections.abc import Sequence
from typing import Any, get_args

from slipway_runtime.knowledge.vectors.filters import (
    AllOf,
    Among,
    AnyOf,
    Compare,
    Exists,
    Filter,
    Membership,
    Not,
    Order,
    Scalar,
)

ORDERS: Sequence[Order] = get_args(Order)
MEMBERSHIPS: Sequence[Membership] = get_args(Membership)
OPERATORS = ", ".join((*ORDERS, *MEMBERSHIPS, "exists"))
DEEPEST = 8
MOST = 64
"""Conditions of a filter, and values of a list."""
FORM = 'write {"field": ..., "op": ..., "value": ...}, {"and": [...]}, {"or": [...]} or {"not": {...}}'


class InvalidFilter(ValueError):
    """It is no filter; the text says where and what to write."""


def read_filter(json: Any, path: str = "where", depth: int = 1) -> Filter:
    """A filter from its JSON form.

    Raises:
        InvalidFilter: if it is none.
    """
    if depth > DEEPEST:
        raise InvalidFilter(f"{path}: a filter is at most {DEEPEST} levels deep")
    match json:
        case {"and": list(parts), **rest} if not rest:
            return AllOf(_parts(parts, f"{path}.and", depth))
        case {"or": list(parts), **rest} if not rest:
            return AnyOf(_parts(parts, f"{path}.or", depth))
        case {"not": dict(part), **rest} if not rest:
            return Not(read_filter(part, f"{path}.not", depth + 1))
        case {"field": str(field), "op": str(op), **rest} if field and rest.keys() <= {"value"}:
            return _condition(field, op, rest.get("value"), path)
    raise InvalidFilter(f"{path}: {FORM}")


def _parts(parts: list[Any], path: str, depth: int) -> tuple[Filter, ...]:
    if len(parts) > MOST:
        raise InvalidFilter(f"{path}: at most {MOST} conditions")
    return tuple(read_filter(part, f"{path}[{place}]", depth + 1) for place, part in enumerate(parts))


def _condition(field: str, op: str, value: Any, path: str) -> Filter:
    for order in ORDERS:
        if op == order:
            return Compare(field, order, _scalar(value, f"{path}.value"))
    for membership in MEMBERSHIPS:
        if op == membership:
            if not isinstance(value, list) or len(value) > MOST:
                raise InvalidFilter(f"{path}.value: {op} takes a list of at most {MOST} values")
            return Among(field, membership, tuple(_scalar(each, f"{path}.value") for each in value))
    if op == "exists":
        if value not in (None, True, False):
            raise InvalidFilter(f"{path}.value: exists takes true, false, or nothing, which is true")
        return Exists(field, value is not False)
    raise InvalidFilter(f"{path}.op: there is no operator {op[:40]!r}; there are {OPERATORS}, and, or and not")


def _scalar(value: Any, path: str) -> Scalar:
    if isinstance(value, str | int | float | bool):
        return value
    raise InvalidFilter(f"{path}: a text, a number, true or false; what is missing is found by exists")
