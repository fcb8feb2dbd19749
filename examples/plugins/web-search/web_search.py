"""Searching the web as a plugin, with the client that agents with `spec.webSearch` use."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from slipway_crds.runtimeconfig import WebSearchConfig
from slipway_runtime.agents.web_services import WebSearcher
from slipway_runtime.plugin_api import PluginMetadata, PluginTool, hookimpl, tool

LONGEST_QUERY = 400
KEY_VARIABLE = "WEB_SEARCH_API_KEY"
"""Of the environment: the key of Brave or Tavily. SearXNG needs none."""


@hookimpl
def slipway_metadata() -> PluginMetadata:
    """What the plugin is."""
    return PluginMetadata(
        name="web_search",
        version="1.0.0",
        description="Searches the web by SearXNG, Brave or Tavily.",
        author="Slipway",
    )


@hookimpl
def slipway_tools(config: Mapping[str, Any]) -> list[PluginTool]:
    """The tool."""
    service = WebSearchConfig(provider=config.get("provider", "searxng"), base_url=config.get("baseURL"))
    searcher = WebSearcher(service, lambda: os.environ.get(KEY_VARIABLE))

    @tool(read_only=True)
    async def search(query: str) -> list[dict[str, str]]:
        """Search the web. Returns a few pages with title, address and text.

        Args:
            query: what to look for, in a few words that stand by themselves.
        """
        return [asdict(each) for each in await searcher.search(query[:LONGEST_QUERY])]

    return [search]
