"""The types of plugins, and what each may have."""

from collections.abc import Mapping
from typing import Any, Literal

from slipway_crds.fields import Rule
from slipway_crds.rules import exactly_one, value_at

PluginType = Literal["mcp", "openapi", "python", "wasm"]
TYPES: tuple[PluginType, ...] = ("mcp", "openapi", "python", "wasm")
PINNED = "@sha256:"
_IMAGE = "has(self.mcp) && has(self.mcp.image)"


def _given(value: Mapping[str, Any], path: str) -> bool:
    return value_at(value, path) is not None


def _pinned(value: Mapping[str, Any]) -> bool:
    return PINNED in str(value_at(value, "mcp.image.name"))


def _only_for(field: str, *others: str, message: str) -> Rule:
    """An optional field is for images and for these types."""
    types = "".join(f" || has(self.{each})" for each in others)
    return Rule(
        cel=f"!has(self.{field}) || ({_IMAGE}){types}",
        message=message,
        holds=lambda value: not _given(value, field) or any(_given(value, each) for each in ("mcp.image", *others)),
        field=field,
    )


SPEC_RULES = (
    exactly_one(TYPES),
    Rule(
        cel=" && ".join(f"(self.type != '{each}' || has(self.{each}))" for each in TYPES),
        message="must be the name of the field that is given: mcp, openapi, python or wasm",
        holds=lambda value: _given(value, value["type"]),
        field="type",
    ),
    Rule(
        cel=f"{_IMAGE} ? has(self.digest) != self.mcp.image.name.contains('{PINNED}') : has(self.digest)"
        " || !(has(self.wasm) || (has(self.python) && has(self.python.wheel)))",
        message="is needed for a wheel, a WebAssembly module and an image without one in its name, and is given once: "
        "write what `sha256sum` says of the file, or your registry of the image",
        holds=lambda value: (
            _given(value, "digest") != _pinned(value)
            if _given(value, "mcp.image")
            else _given(value, "digest") or not (_given(value, "wasm") or _given(value, "python.wheel"))
        ),
        field="digest",
    ),
    _only_for(
        "digest",
        "openapi",
        "python",
        "wasm",
        message="is for what Slipway loads or starts: a server elsewhere has none",
    ),
    _only_for(
        "signature",
        "openapi",
        "python",
        "wasm",
        message="is of what Slipway loads or starts: a server elsewhere has none",
    ),
    Rule(
        cel=f"!has(self.signature) || has(self.signature.payload) == ({_IMAGE})",
        message="needs payload for an image, and takes none for others: what is signed there is the file itself",
        holds=lambda value: (
            not _given(value, "signature") or _given(value, "signature.payload") == _given(value, "mcp.image")
        ),
        field="signature",
    ),
    _only_for(
        "permissions",
        "openapi",
        "wasm",
        message="is for an image, openapi and wasm: Python has all rights of its process, and a server elsewhere is "
        "not started here",
    ),
    Rule(
        cel=f"!has(self.permissions) || self.permissions.secrets.size() == 0 || ({_IMAGE})",
        message="has secrets only for an image, into whose container they are mounted",
        holds=lambda value: not value_at(value, "permissions.secrets") or _given(value, "mcp.image"),
        field="permissions",
    ),
    _only_for(
        "config", "python", "wasm", message="is for an image, Python and wasm: nothing else can be told anything"
    ),
)
"""What the fields of a spec must be to each other."""
