"""What a plain scalar of a manifest means.

Kubernetes reads with go-yaml, so scalars follow its table (go.yaml.in/yaml/v2, resolve.go): `on` and `y` are booleans,
`08` is the number 8, `1:30` and `2026-03-01` are strings, and a whole number may be written `5.0`.
"""

import math
import re
from datetime import datetime
from typing import Any

LONGEST_NUMBER = 400
"""Characters of a number. The largest number that JSON can carry, 1.8e308, has 309 digits."""

_BOOLEANS = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
}
_NULLS = {"", "~", "null", "Null", "NULL"}
_NOT_NUMBERS = {
    "." + word: value
    for name, value in (("nan", math.nan), ("inf", math.inf))
    for word in (name, name.capitalize(), name.upper(), "NaN" if name == "nan" else name)
}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*|0[oO]?[0-7]+|0[xX][0-9a-fA-F]+|0[bB][01]+)")
_TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?:(?:([Tt])| )([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,][0-9]+)?(?(4)(?:Z|[-+][0-9]{2}:[0-9]{2})))?"
)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


TYPED = ("bool", "float", "int", "null", "timestamp")
"""The tags that not every text fits."""


class NumberTooLong(ValueError):
    """A number with more characters than any number that JSON can carry; the message says so."""


def resolve_scalar(text: str) -> Any:
    """A plain scalar as go-yaml reads it, and as JSON then carries it (a float that is whole becomes an integer).

    Raises:
        NumberTooLong: if it is a number of more than `LONGEST_NUMBER` characters. Converting one takes time that grows
            with the square of its length, and Python refuses to.
    """
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text.lstrip("+-") in _NOT_NUMBERS:
        return _NOT_NUMBERS[text.lstrip("+-")]
    if text[0] not in "+-.0123456789":
        return text
    plain = text.replace("_", "")
    whole = _INTEGER.fullmatch(plain)
    decimal = _FLOAT.fullmatch(plain)
    if decimal and len(plain) > LONGEST_NUMBER:
        raise NumberTooLong(f"this number has {len(plain)} characters, {LONGEST_NUMBER} at most")
    if whole and _in_64_bits(integer := _integer(plain)):
        return integer
    if not decimal or math.isinf(number := float(plain)):
        return text
    return int(number) if number.is_integer() and abs(number) < 1e21 else number


def _integer(text: str) -> int:
    digits = text.lstrip("+-").lower()
    octal = len(digits) > 1 and digits[0] == "0" and digits.isdigit()
    number = int(digits, 8) if octal else int(digits, 0)
    return -number if text.startswith("-") else number


def _in_64_bits(number: int) -> bool:
    """Whether go-yaml takes it for an integer. What is larger is a float if written in decimal digits, else a text."""
    return -(2**63) <= number < 2**64


def fits_tag(tag: str, text: str) -> bool:
    """Whether go-yaml decodes a text with one of the `TYPED` tags. An integer is a float as well, `5.0` no integer.

    Raises:
        NumberTooLong: as `resolve_scalar`.
    """
    value = resolve_scalar(text)
    if tag == "null":
        return value is None
    if tag == "bool":
        return isinstance(value, bool)
    if tag == "timestamp":
        return _is_timestamp(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    plain = text.replace("_", "")
    whole = bool(_INTEGER.fullmatch(plain)) and _in_64_bits(_integer(plain))
    return whole if tag == "int" else not whole or value < 2**63


def _is_timestamp(text: str) -> bool:
    if not (found := _TIMESTAMP.fullmatch(text)):
        return False
    try:
        year, month, day, hour, minute, second = (int(part or 0) for part in found.group(1, 2, 3, 5, 6, 7))
        datetime(year, month, day, hour, minute, second)
    except ValueError:
        return False
    return True
