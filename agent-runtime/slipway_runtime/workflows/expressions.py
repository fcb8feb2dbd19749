"""Expressions of CEL in a run: what they see, and values that are made of them."""

import base64
import functools
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import cel
import orjson

from slipway_crds.workflows.expressions import parts

COMPILED = 2048
"""Expressions kept ready."""
SHOWN = 120
"""Characters of an expression in an error."""

Variables = Mapping[str, Any]


class ExpressionFailed(Exception):
    """An expression has no value for this run; the text says which one and why."""


@functools.lru_cache(maxsize=COMPILED)
def _compiled(expression: str) -> cel.Program:
    return cel.compile(expression)


def evaluate(expression: str, variables: Variables) -> Any:
    """The value of an expression as JSON has it.

    Raises:
        ExpressionFailed: if it has none.
    """
    try:
        return _in_order(_as_json(_compiled(expression).execute(dict(variables))), expression, variables)
    except KeyError as error:
        raise ExpressionFailed(f"{expression[:SHOWN]}: there is no {error.args[0]}") from error
    except (ArithmeticError, TypeError, ValueError, RuntimeError, IndexError) as error:
        raise ExpressionFailed(f"{expression[:SHOWN]}: {str(error)[:300]}") from error


def fill(value: Any, variables: Variables) -> Any:
    """A JSON value with each `${...}` in its texts replaced. A text that is one expression keeps the value's type.

    Raises:
        ExpressionFailed: if an expression has no value.
    """
    if isinstance(value, str):
        return _filled(value, variables)
    if isinstance(value, Mapping):
        return {key: fill(child, variables) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [fill(child, variables) for child in value]
    return value


def _filled(text: str, variables: Variables) -> Any:
    pieces = list(parts(text))
    if len(pieces) == 1 and pieces[0][0]:
        return evaluate(pieces[0][1], variables)
    return "".join(_text(evaluate(piece, variables)) if expression else piece for expression, piece in pieces)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return orjson.dumps(value).decode()


def _in_order(value: Any, expression: str, variables: Variables) -> Any:
    """A value with the keys of its objects in an order that a person expects, since CEL keeps none: that of the same
    object among the variables, otherwise that of their names in the expression, and then by name."""
    if not isinstance(value, Mapping | list):
        return value
    orders: dict[frozenset[str], list[str]] = {}
    _add_orders(variables, orders)

    def ordered(part: Any) -> Any:
        if isinstance(part, list):
            return [ordered(child) for child in part]
        if not isinstance(part, Mapping):
            return part
        keys = orders.get(frozenset(part)) or sorted(part, key=lambda key: (_place(key, expression), key))
        return {key: ordered(part[key]) for key in keys}

    return ordered(value)


def _place(key: str, expression: str) -> int:
    found = expression.find(key)
    return found if found >= 0 else len(expression)


def _add_orders(value: Any, orders: dict[frozenset[str], list[str]]) -> None:
    if isinstance(value, Mapping):
        orders.setdefault(frozenset(map(str, value)), [str(key) for key in value])
        for child in value.values():
            _add_orders(child, orders)
    elif isinstance(value, list | tuple):
        for child in value:
            _add_orders(child, orders)


def _as_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _as_json(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(child) for child in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}s"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        raise ValueError("the value is not a number")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a value of type {type(value).__name__} is none of JSON")
