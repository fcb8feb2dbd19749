"""Attributes as Chroma's metadata, and filters as its `where`.

Chroma's `$ne`, `$nin` and `$not_contains` hold for what lacks a key, as ours do. What it lacks is written otherwise:
it has no negation, so that one goes down the tree; no null, so that each record has a list of the attributes that are
there (`_KINDS`), and of those that are numbers; no empty list of alternatives, and no order but of numbers. Names get
a prefix, since some first characters are reserved.
"""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from slipway_runtime.knowledge.vectors.filters import (
    AllOf,
    Among,
    AnyOf,
    Attributes,
    Compare,
    Exists,
    Filter,
    Membership,
    Not,
    Operator,
    Order,
    Scalar,
    UnsupportedFilter,
    check,
    kept_attributes,
    value_type,
)

OPERATORS: frozenset[Operator] = frozenset((*get_args(Order), *get_args(Membership), "exists", "and", "or", "not"))
"""All of them; order is of numbers only."""
Where = dict[str, Any]
_KINDS = "k"
_PRESENT, _NUMBER = "p.", "n."
"""In the list of kinds, before the name of an attribute that is there, and of one that is a number."""
_INT64 = 2**63
_OPPOSITE: Mapping[Order, Order] = {"gt": "lte", "gte": "lt", "lt": "gte", "lte": "gt", "eq": "ne", "ne": "eq"}


def metadata(attributes: Attributes) -> dict[str, Any]:
    """What Chroma keeps of a chunk."""
    kept = kept_attributes(attributes)
    kinds = [_PRESENT + name for name in kept]
    kinds += [_NUMBER + name for name, value in kept.items() if value_type(value) is float]
    values = {_key(name): _number(value) for name, value in kept.items() if value != []}
    return {**values, _KINDS: kinds} if kinds else {}


def described(
    ids: Sequence[str], attributes: Sequence[Attributes], before: Mapping[str, Mapping[str, Any] | None]
) -> list[dict[str, Any] | None]:
    """Metadata that takes the place of what the records had.

    Chroma keeps what an update does not name, so that what is gone is named as null; it takes no empty metadata.

    Args:
        before: metadata by id, of those that are there.
    """
    made = []
    for id_, each in zip(ids, attributes, strict=True):
        former = before.get(id_) or {}
        made.append({**dict.fromkeys(former), **metadata(each)} or None)
    return made


def chroma_where(where: Filter) -> Where | bool:
    """The filter as Chroma reads it, or whether it holds for all or for none.

    Raises:
        UnsupportedFilter: if Chroma cannot narrow a search so.
    """
    check(where, OPERATORS, "Chroma")
    return _condition(where, holds=True)


def _condition(where: Filter, *, holds: bool) -> Where | bool:
    """What is true where the filter holds, or where it does not."""
    match where:
        case Compare(field, op, value):
            return _compared(field, op, value, holds=holds)
        case Among(field, op, values):
            return _among(field, values, holds=holds is not (op == "not_in"))
        case Exists(field, present):
            return _kind(_PRESENT + field, holds=holds is present)
        case AllOf(parts) | AnyOf(parts):
            every = isinstance(where, AllOf) is holds
            return _joined([_condition(part, holds=holds) for part in parts], every=every)
        case Not(part):
            return _condition(part, holds=not holds)


def _joined(parts: Sequence[Where | bool], *, every: bool) -> Where | bool:
    """All of them, or one of them. Chroma takes no list of less than two."""
    if any(part is not every for part in parts if isinstance(part, bool)):
        return not every
    left = [part for part in parts if not isinstance(part, bool)]
    if len(left) < 2:
        return left[0] if left else every
    return {"$and" if every else "$or": left}


def _compared(field: str, op: Order, value: Scalar, *, holds: bool) -> Where | bool:
    if op in ("eq", "ne"):
        return _among(field, (value,), holds=holds is (op == "eq"))
    if value_type(value) is not float:
        raise UnsupportedFilter(f"Chroma orders numbers only, so {op} of {field!r} needs one: keep dates as numbers")
    if holds:
        return {_key(field): {f"${op}": _number(value)}}
    opposite: Where = {_key(field): {f"${_OPPOSITE[op]}": _number(value)}}
    return _joined([opposite, _kind(_NUMBER + field, holds=False)], every=False)


def _among(field: str, values: Sequence[Scalar], *, holds: bool) -> Where | bool:
    """By type, since Chroma's lists have one; strings also as elements of a list."""
    parts: list[Where | bool] = []
    for kind in (str, bool, int, float):
        alike = [number for value in values if type(number := _number(value)) is kind]
        if alike:
            parts.append({_key(field): {"$in" if holds else "$nin": alike}})
    word = "$contains" if holds else "$not_contains"
    parts += [{_key(field): {word: value}} for value in values if isinstance(value, str)]
    return _joined(parts, every=not holds)


def _kind(kind: str, *, holds: bool) -> Where:
    return {_KINDS: {"$contains" if holds else "$not_contains": kind}}


def _key(field: str) -> str:
    return f"a.{field}"


def _number(value: Any) -> Any:
    """An integer that Chroma has no room for as a float."""
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        return float(value)
    return value
