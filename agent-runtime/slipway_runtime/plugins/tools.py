"""The tools that a server lists, as agents and callers get to see them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from slipway_crds.fields import MCP_TOOL_PATTERN
from slipway_crds.plugins.upstream import ToolNames

MOST_TOOLS = 1000
"""Of one server. No model chooses among more, and a list of them would be too long for a client."""
MOST_NAME = 128
_NAME = re.compile(MCP_TOOL_PATTERN)


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


def shown(listed: Iterable[object], names: ToolNames, *, before: Iterable[str] = ()) -> Shown:
    """The tools to show of those that a server listed.

    Args:
        before: names that earlier pages of the list have.
    """
    tools: dict[str, Tool] = {}
    taken, unusable, twice, many = set(before), 0, 0, 0
    for each in listed:
        original = each.get("name") if isinstance(each, Mapping) else None
        if not isinstance(original, str) or len(original) > MOST_NAME or not _NAME.fullmatch(original):
            unusable += 1
            continue
        name = names.shown(original)
        if name is None:
            continue
        if name in taken:
            twice += 1
        elif len(taken) >= MOST_TOOLS:
            many += 1
        else:
            assert isinstance(each, Mapping)
            taken.add(name)
            tools[name] = Tool(name, original, {**each, "name": name})
    notes = [
        f"{many} tools beyond the first {MOST_TOOLS} are left out: choose with tools.allow" if many else "",
        f"{unusable} tools have no name that MCP allows" if unusable else "",
        f"{twice} tools have the name of another one" if twice else "",
    ]
    return Shown(tuple(tools.values()), "; ".join(filter(None, notes)))


def list_result(result: Mapping[str, Any], names: ToolNames) -> dict[str, Any]:
    """A server's result of `tools/list` as it goes to a client: fields that are not known here stay."""
    listed = result.get("tools")
    if not isinstance(listed, list):
        return dict(result)
    return {**result, "tools": [each.definition for each in shown(listed, names).tools]}
