"""A plugin that has been loaded: what a connector serves, whatever the plugin is made of.

A loader makes it from the Plugin and its bytes; `slipway_runtime.connector.loaders` has one for each type.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from starlette.routing import BaseRoute

from slipway_crds.plugins.metadata import PluginMetadata

CALL_GRANT: ContextVar[str] = ContextVar("call_grant", default="")
"""The token with which the plugin may ask agents during the present call of a tool; empty if it may ask none."""
CALL_KEY: ContextVar[str] = ContextVar("call_key", default="")
"""The `Idempotency-Key` of the present call of a tool; empty if it has none."""
Arguments = Mapping[str, Any]


class PluginNotLoaded(Exception):
    """A plugin cannot be loaded. `reason` is a stable word, the text says what to do."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class ToolAnswer:
    """What a call of a tool gave.

    Args:
        text: for a model.
        structured: the same as data, where it is an object.
        failed: whether the call failed; `text` says why.
    """

    text: str
    structured: Mapping[str, Any] | None = None
    failed: bool = False


@dataclass(frozen=True, kw_only=True)
class LoadedTool:
    """A tool of a plugin.

    Args:
        name: of letters, digits, dashes and underscores, 64 at most.
        input_schema: JSON Schema of its arguments, with `type: object`.
        call: makes a call. Whatever it raises ends this call only.
        read_only: whether it changes nothing.
        repeatable: whether two calls do the same as one.
    """

    name: str
    description: str
    input_schema: Mapping[str, Any]
    call: Callable[[Arguments], Awaitable[ToolAnswer]] = field(repr=False)
    read_only: bool = False
    repeatable: bool = False


async def _nothing() -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class LoadedPlugin:
    """What a plugin provides.

    Args:
        tools: with different names.
        routes: end points of HTTP, with paths as the plugin names them.
        metadata: what it says of itself.
        note: what of it is left out, and why, as a sentence.
        close: called once when another version takes its place, or the process ends.
    """

    tools: Sequence[LoadedTool] = ()
    routes: Sequence[BaseRoute] = ()
    metadata: PluginMetadata | None = None
    note: str = ""
    close: Callable[[], Awaitable[None]] = _nothing
