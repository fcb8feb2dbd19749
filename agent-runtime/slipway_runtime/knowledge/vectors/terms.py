"""Filters for services that search what is declared beforehand, while attributes are not known beforehand.

Each attribute is written as *terms*, strings in one declared field: its name, and its name with each of its values.
`eq`, `in`, `contains_any` and `exists` then ask for terms, on every service in the same way and with the exact meaning
of `filters`. Order (`gt`, ...) is left to the service's own fields.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, Protocol
from urllib.parse import quote

import orjson

from slipway_runtime.knowledge.vectors.filters import (
    ORDERED,
    AllOf,
    Among,
    AnyOf,
    Attributes,
    Compare,
    Exists,
    Filter,
    Not,
    Order,
    Scalar,
    kept_attributes,
)

LONGEST = 256
"""Characters of a value in a term; a longer one is represented by its hash."""
Clause = dict[str, Any]


def escaped(name: str) -> str:
    """The name of an attribute as letters, digits, `_`, `-`, `~` and `%`, injectively."""
    return quote(name, safe="").replace(".", "%2E")


def term(name: str, value: Scalar) -> str:
    """What says that an attribute has a value."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = orjson.dumps(value).decode() if not _is_huge(value) else str(value)
    if len(text) > LONGEST:
        text = "#" + hashlib.sha256(text.encode()).hexdigest()
    return f"{escaped(name)}={text}"


def _is_huge(value: Scalar) -> bool:
    return isinstance(value, int) and abs(value) >= 2**63


def terms(attributes: Attributes) -> list[str]:
    """All terms of a chunk."""
    found: list[str] = []
    for name, value in kept_attributes(attributes).items():
        found.append(escaped(name))
        values = [value] if isinstance(value, str | int | float) else value
        found.extend(term(name, each) for each in values)
    return found


def ordered(attributes: Attributes) -> dict[str, str | int | float]:
    """The attributes that have an order: numbers and texts, by escaped name."""
    return {
        escaped(name): float(value) if _is_huge(value) else value
        for name, value in kept_attributes(attributes).items()
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    }


class Grammar(Protocol):
    """How a service writes clauses. What it cannot raises UnsupportedFilter."""

    def any_term(self, terms: Sequence[str]) -> Clause:
        """Whether a chunk has one of these terms (at least one is given)."""
        ...

    def order(self, field: str, op: Order, value: str | float) -> Clause | bool:
        """How an attribute compares, by its escaped name."""
        ...

    def both(self, parts: Sequence[Clause]) -> Clause:
        """All of at least two hold."""
        ...

    def either(self, parts: Sequence[Clause]) -> Clause:
        """One of at least two holds."""
        ...

    def negated(self, part: Clause) -> Clause:
        """It does not hold."""
        ...


def translate(where: Filter, grammar: Grammar) -> Clause | bool:
    """A filter as the service writes it; True: nothing is left out, False: everything is.

    Raises:
        UnsupportedFilter: if the service cannot narrow a search so.
    """
    match where:
        case Compare(op="eq"):
            return grammar.any_term([term(where.field, where.value)])
        case Compare(op="ne"):
            return grammar.negated(grammar.any_term([term(where.field, where.value)]))
        case Compare():
            return _compared(where, grammar)
        case Among(op="not_in"):
            return _not(_among(where, grammar), grammar)
        case Among():
            return _among(where, grammar)
        case Exists():
            there = grammar.any_term([escaped(where.field)])
            return there if where.present else grammar.negated(there)
        case AllOf():
            return _joined(where.parts, grammar, neutral=True)
        case AnyOf():
            return _joined(where.parts, grammar, neutral=False)
        case Not():
            return _not(translate(where.part, grammar), grammar)


def _compared(where: Compare, grammar: Grammar) -> Clause | bool:
    if isinstance(where.value, bool):
        values = tuple(each for each in (False, True) if ORDERED[where.op](each, where.value))
        return _among(Among(where.field, "in", values), grammar)
    return grammar.order(escaped(where.field), where.op, where.value)


def _among(where: Among, grammar: Grammar) -> Clause | bool:
    if not where.values:
        return False
    return grammar.any_term([term(where.field, value) for value in where.values])


def _not(part: Clause | bool, grammar: Grammar) -> Clause | bool:
    return not part if isinstance(part, bool) else grammar.negated(part)


def _joined(parts: Sequence[Filter], grammar: Grammar, *, neutral: bool) -> Clause | bool:
    """All of the parts (`neutral` True), or one of them."""
    clauses: list[Clause] = []
    for part in [translate(each, grammar) for each in parts]:
        if isinstance(part, bool):
            if part is not neutral:
                return not neutral
        else:
            clauses.append(part)
    if len(clauses) < 2:
        return clauses[0] if clauses else neutral
    return grammar.both(clauses) if neutral else grammar.either(clauses)
