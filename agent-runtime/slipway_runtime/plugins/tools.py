"""The tools that a server lists, as agents and callers get to see them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

from mcp_types import Tool as SdkTool
from mcp_types.version import LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION
from pydantic import BaseModel, ValidationError

from slipway_crds.fields import MCP_TOOL_PATTERN
from slipway_crds.plugins.upstream import ToolNames

MOST_TOOLS = 1000
"""Of one server. No model chooses among more, and a list of them would be too long for a client."""
MOST_NAME = 128
MOST_NAMED = 20
"""Mistakes in the definition of a tool up to which they are looked at."""
_NAME = re.compile(MCP_TOOL_PATTERN)


@cache
def _models(*, modern: bool) -> tuple[type[BaseModel], ...]:
    """What clients of a revision read a tool as."""
    from mcp_types.methods import SERVER_RESULTS  # the models of all messages: for gateways that list tools

    version = LATEST_MODERN_VERSION if modern else LATEST_HANDSHAKE_VERSION
    (of_revision,) = get_args(SERVER_RESULTS["tools/list", version].model_fields["tools"].annotation)  # type: ignore[union-attr]
    return of_revision, SdkTool


@dataclass(frozen=True)
class Tool:
    """A tool by the name that it has here; `definition` is the server's, with that name."""

    name: str
    original: str
    definition: Mapping[str, Any]


@dataclass(frozen=True)
class Shown:
    """What is shown of a list, and a sentence on what is not; empty if that is as the Plugin wants it."""

    tools: tuple[Tool, ...]
    note: str = ""


def malformed(definition: object, *, modern: bool) -> set[str]:
    """The fields that keep a client from reading a tool, and with it the whole list: empty if it can.

    Args:
        modern: whether for a client of 2026-07-28. Fields that are not known here are let be.
    """
    for model in _models(modern=modern):
        try:
            model.model_validate(definition, by_name=False)
        except ValidationError as error:
            if error.error_count() > MOST_NAMED:  # to list them costs more than to find them
                return {"fields"}
            return {str(each["loc"][0]) for each in error.errors(include_input=False) if each["loc"]}
    return set()


def shown(listed: Iterable[object], names: ToolNames, *, modern: bool) -> Shown:
    """The tools to show of those that a server listed.

    Args:
        modern: whether the list is read as that of 2026-07-28.
    """
    tools: dict[str, Tool] = {}
    fields: set[str] = set()
    unusable, broken, twice, many = 0, 0, 0, 0
    for each in listed:
        original = each.get("name") if isinstance(each, Mapping) else None
        if not isinstance(original, str) or len(original) > MOST_NAME or not _NAME.fullmatch(original):
            unusable += 1
            continue
        name = names.shown(original)
        if name is None:
            continue
        assert isinstance(each, Mapping)
        if name in tools:
            twice += 1
        elif len(tools) >= MOST_TOOLS:
            many += 1
        elif wrong := malformed(each, modern=modern):
            broken += 1
            fields |= wrong
        else:
            tools[name] = Tool(name, original, {**each, "name": name})
    notes = [
        f"{many} tools beyond the first {MOST_TOOLS} are left out: choose with tools.allow" if many else "",
        f"{unusable} tools have no name that MCP allows" if unusable else "",
        f"{broken} tools are malformed: MCP does not allow their {', '.join(sorted(fields))}" if broken else "",
        f"{twice} tools have the name of another one" if twice else "",
    ]
    return Shown(tuple(tools.values()), "; ".join(filter(None, notes)))


def list_result(result: Mapping[str, Any], names: ToolNames, *, modern: bool) -> dict[str, Any]:
    """A server's result of `tools/list` as it goes to a client of an era: fields that are not known here stay."""
    listed = result.get("tools")
    if not isinstance(listed, list):
        return dict(result)
    return {**result, "tools": [each.definition for each in shown(listed, names, modern=modern).tools]}
