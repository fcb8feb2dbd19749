"""Attributes as a `jsonb` column, and filters as conditions on it, for databases that speak Postgres's SQL."""

import json
from typing import get_args

from slipway_runtime.knowledge.vectors.filters import (
    ORDERED,
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
    kept_attributes,
)
from slipway_runtime.store.database import Value

OPERATORS: frozenset[Operator] = frozenset((*get_args(Order), *get_args(Membership), "exists", "and", "or", "not"))
"""All of them."""
_SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def storable(text: str) -> str:
    """A text without NUL, which Postgres does not keep. No two texts become one, and their order stays."""
    if not text.isascii():
        text = text.encode(errors="replace").decode()  # halves of surrogate pairs are no text
    return text.replace("\1", "\1\2").replace("\0", "\1\1") if "\0" in text or "\1" in text else text


def restored(text: str) -> str:
    """What `storable` was given."""
    return text.replace("\1\1", "\0").replace("\1\2", "\1") if "\1" in text else text


def attributes_json(attributes: Attributes) -> str:
    """The attributes as JSON that a `jsonb` column takes."""
    return _json({name: value for name, value in kept_attributes(attributes).items()})


def _json(value: object) -> str:
    return json.dumps(_storable(value), ensure_ascii=False, allow_nan=False)


def _storable(value: object) -> object:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [_storable(element) for element in value]
    if isinstance(value, dict):
        return {storable(name): _storable(element) for name, element in value.items()}
    return value


class SqlFilter:
    """A condition that is true or false, never null.

    Args:
        column: the `jsonb` column's name.
        first: number of its first parameter.
    """

    def __init__(self, where: Filter, *, column: str, first: int) -> None:
        self.args: list[Value] = []
        """Its parameters, from `first` on."""
        self._column = column
        self._first = first
        self.sql = self._condition(where)

    def parameter(self, value: str) -> str:
        """A further parameter."""
        self.args.append(value)
        return f"${self._first + len(self.args) - 1}::text"

    def _condition(self, where: Filter) -> str:
        match where:
            case Compare(field, op, value):
                if op in ORDERED:
                    return self._ordered(field, _SIGNS[op], value)
                return self._equal(field, value) if op == "eq" else f"(NOT {self._equal(field, value)})"
            case Among(field, op, values):
                found = self._joined("OR", [self._equal(field, value) for value in values])
                return f"(NOT {found})" if op == "not_in" else found
            case Exists(field, present):
                found = f"({self._column} ? {self.parameter(storable(field))})"
                return found if present else f"(NOT {found})"
            case AllOf(parts):
                return self._joined("AND", [self._condition(part) for part in parts])
            case AnyOf(parts):
                return self._joined("OR", [self._condition(part) for part in parts])
            case Not(part):
                return f"(NOT {self._condition(part)})"

    @staticmethod
    def _joined(word: str, conditions: list[str]) -> str:
        return f"({f' {word} '.join(conditions)})" if conditions else ("true" if word == "AND" else "false")

    def _equal(self, field: str, value: Scalar) -> str:
        """By containment, for which an inverted index is of use."""
        forms: list[object] = [{field: value}]
        if isinstance(value, str):
            forms.append({field: [value]})
        return self._joined("OR", [f"{self._column} @> {self.parameter(_json(form))}::jsonb" for form in forms])

    def _ordered(self, field: str, sign: str, value: Scalar) -> str:
        name = self.parameter(storable(field))
        if isinstance(value, str):
            compared = f'{self._column} ->> {name} COLLATE "C" {sign} {self.parameter(storable(value))}'
            return self._guarded(name, "string", compared)
        kind = "boolean" if isinstance(value, bool) else "number"
        return self._guarded(name, kind, f"{self._column} -> {name} {sign} {self.parameter(_json(value))}::jsonb")

    def _guarded(self, name: str, kind: str, condition: str) -> str:
        return f"coalesce(jsonb_typeof({self._column} -> {name}) = '{kind}' AND ({condition}), false)"
