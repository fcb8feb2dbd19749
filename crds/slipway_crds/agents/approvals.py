"""Which tools of an Agent's models wait for a person."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from slipway_crds.fields import ATOMIC, TOOL_PATTERN, Duration, Rule, SpecModel, same
from slipway_crds.rules import duration_within


class Approval(SpecModel):
    """A tool that is called only when a person has approved the call."""

    local = same("The same people are asked.")
    rules = (duration_within("expires", "1m", "168h"),)

    tool: Annotated[str, Field(min_length=1, max_length=40, pattern=TOOL_PATTERN)]
    """Name of the tool, unique within the list: of an entry of `tools`, `web_search` or `search_documents`."""
    groups: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=253)]] | None, Field(min_length=1, max_length=16), ATOMIC
    ] = None
    """Groups whose members may decide; whoever asked the question if not given."""
    expires: Duration = "24h"
    """A call that nobody has decided on within this time counts as denied."""


def _known(spec: Mapping[str, Any]) -> bool:
    names = {each["name"] for each in spec["tools"]}
    if spec.get("webSearch") is not None:
        names.add("web_search")
    if spec["architecture"] == "pydantic-ai" and spec["knowledge"]:
        names.add("search_documents")
    return all(each["tool"] in names for each in spec["approvals"])


APPROVALS_OF_TOOLS = Rule(
    cel="self.approvals.all(one, self.tools.exists(each, each.name == one.tool)"
    " || (one.tool == 'web_search' && has(self.webSearch))"
    " || (one.tool == 'search_documents' && self.architecture == 'pydantic-ai' && self.knowledge.size() > 0))",
    message="must name tools that the agent has: entries of tools, web_search with webSearch, or search_documents of"
    " architecture pydantic-ai with knowledge",
    holds=_known,
    field="approvals",
)
"""Of the spec. Without it a mistake in a name would let a tool run unasked."""
