"""What of a Plugin a loader has to know, besides the bytes of its code."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class CallLimits:
    """What one call of a WebAssembly module may take."""

    fuel: int = 1_000_000_000
    """Instructions, about."""
    memory_bytes: int = 64 * 2**20
    seconds: float = 10.0


@dataclass(frozen=True)
class PluginCode:
    """Code that is to be loaded."""

    plugin: str
    """Name of the Plugin."""
    form: Literal["module", "wheel", "wasm"]
    entry: str = ""
    """Of a wheel: `package.module:object`; empty for its entry points of `slipway.plugins`."""
    limits: CallLimits = CallLimits()
    """Of a WebAssembly module."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """What the code is given: `spec.config`."""
