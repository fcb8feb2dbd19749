"""Terraform's wire format for values: msgpack, with an extension for what is not known yet.

Source: hashicorp/terraform docs/plugin-protocol/object-wire-format.md.
"""

from typing import Any

import ormsgpack

Value = Any
"""What msgpack holds: None, bool, int, float, str, list, dict, or UNKNOWN."""
Json = dict[str, Any]

_PLAIN_UNKNOWN = 0
_REFINED_UNKNOWN = 12


NOTHING_REAL = "00000000-0000-0000-0000-000000000000"
"""Has the form that most identifiers are checked for, and is nobody's."""


class _Unknown:
    """The value that is known only after an apply."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = _Unknown()


def decode(data: bytes) -> Value:
    """The value in `data`. What Terraform knows about an unknown value beforehand (a refinement) is dropped."""
    return ormsgpack.unpackb(data, ext_hook=_unknown, option=ormsgpack.OPT_NON_STR_KEYS)


def _unknown(tag: int, data: bytes) -> _Unknown:
    if tag in (_PLAIN_UNKNOWN, _REFINED_UNKNOWN):
        return UNKNOWN
    raise ValueError(f"msgpack extension {tag} ({len(data)} bytes) is none of Terraform's")


def encode(value: Value) -> bytes:
    """`value` for Terraform."""
    return ormsgpack.packb(value, default=_extension, option=ormsgpack.OPT_NON_STR_KEYS)


def _extension(value: object) -> ormsgpack.Ext:
    if value is UNKNOWN:
        return ormsgpack.Ext(_PLAIN_UNKNOWN, b"\0")
    raise TypeError(f"{type(value).__name__} is no value that Terraform can send")


def planned(value: Value, block: Json, prior: Value = None) -> Value:
    """What a provider would plan for the proposed `value`.

    For a new resource whatever the provider computes is unknown until the apply; one that exists (`prior`) keeps what
    it has, which Terraform has put into `value` already.
    """
    if not isinstance(value, dict):
        return value
    result = dict(value)
    for name, attribute in block.get("attributes", {}).items():
        result[name] = _planned_attribute(value.get(name), attribute, prior)
    for name, nested in block.get("block_types", {}).items():
        result[name] = _each(value.get(name), nested["nesting_mode"], nested["block"], prior)
    return result


def _planned_attribute(value: Value, attribute: Json, prior: Value) -> Value:
    if attribute.get("write_only"):
        return None  # a provider must never give such a value back
    if value is None:
        return UNKNOWN if attribute.get("computed") and prior is None else None
    nested = attribute.get("nested_type")
    return _each(value, nested["nesting_mode"], nested, prior) if nested else value


def _each(value: Value, nesting: str, block: Json, prior: Value) -> Value:
    if isinstance(value, list):
        return [planned(item, block, prior) for item in value]
    if nesting == "map" and isinstance(value, dict):
        return {key: planned(item, block, prior) for key, item in value.items()}
    return planned(value, block, prior)


def unconfigurable(value: Value, block: Json, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Where a configuration sets what only the provider may set."""
    if isinstance(value, list):
        return [found for item in value for found in unconfigurable(item, block, path)]
    if not isinstance(value, dict):
        return []
    set_here = [
        (*path, name)
        for name, attribute in block.get("attributes", {}).items()
        if value.get(name) is not None and not (attribute.get("optional") or attribute.get("required"))
    ]
    below = [
        found
        for name, nested in block.get("block_types", {}).items()
        for found in unconfigurable(value.get(name), nested["block"], (*path, name))
    ]
    return set_here + below


def answered(config: Value, block: Json) -> Value:
    """What a data source answers: its configuration, and for everything else a value that stands for nothing real.

    A data source has to answer with known values. As in Terraform's own mocks, collections are empty.
    """
    computed = {
        name: _stand_in(attribute["type"])
        for name, attribute in block.get("attributes", {}).items()
        if attribute.get("computed") and config.get(name) is None and "type" in attribute
    }
    return config | computed


def _stand_in(kind: Any) -> Value:
    if isinstance(kind, list):
        if kind[0] == "object":
            return {name: _stand_in(each) for name, each in kind[1].items()}
        return {} if kind[0] == "map" else []
    return {"string": NOTHING_REAL, "number": 0, "bool": False}.get(kind)


def applied(value: Value) -> Value:
    """The planned `value` after an apply that nobody did: what was unknown is null."""
    if value is UNKNOWN:
        return None
    if isinstance(value, list):
        return [applied(item) for item in value]
    if isinstance(value, dict):
        return {key: applied(item) for key, item in value.items()}
    return value
