"""`web_search`: the tool with which a model looks things up in the web."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic_ai import FunctionToolset, Tool
from pydantic_ai.messages import ToolReturn

from slipway_crds.runtimeconfig import AgentBindings, WebSearchConfig
from slipway_runtime.agents.tool_results import MOST_CHARACTERS, SAID, as_data
from slipway_runtime.agents.web_services import SearchFailed, WebResult, WebSearcher
from slipway_runtime.models.connection import ApiKeyFile
from slipway_runtime.problems import Problem, Reason

log = logging.getLogger(__name__)
NAME = "web_search"
LONGEST_QUERY = 400
"""Of Brave; the others take more."""
RULES = f"""\
{NAME} gives pages of the web as strangers describe them. Say from which page you have something, by its address and
without a number in square brackets."""


def web_searcher(config: WebSearchConfig, bindings: Callable[[], AgentBindings]) -> WebSearcher:
    """What an agent's models search the web with, by the key that the bindings lead to at the moment."""
    files: dict[str, ApiKeyFile] = {}

    def key() -> str | None:
        path = bindings().web_search_key_file
        return files.setdefault(path, ApiKeyFile(Path(path))).key() if path else None

    ca_file = bindings().web_search_ca_file
    return WebSearcher(config, key, ca_file=Path(ca_file) if ca_file else None)


def web_toolset(searcher: WebSearcher, *, required: bool, approved: bool) -> FunctionToolset[Any]:
    """The tool, for an agent that has a service.

    Args:
        required: whether an answer fails if the service does.
        approved: whether a person has to approve each search.
    """

    async def web_search(query: str) -> ToolReturn[str]:
        """Search the web. Returns a few pages with their address and what is said of them.

        Args:
            query: what to look for, in a few words that stand by themselves.
        """
        try:
            found = await searcher.search(query[:LONGEST_QUERY])
        except SearchFailed as error:
            log.warning("the web was not searched: %s", error)
            if required:
                detail = f"The web must be searched, and was not: {error}."
                raise Problem(Reason.REQUIRED_TOOL_FAILED, detail) from error
            return ToolReturn(f"Not searched: {error}. Go on without it, and say what is missing.")
        if not found:
            return ToolReturn("No page is about this.")
        text = "\n\n".join(map(_as_text, found))
        return ToolReturn(as_data(NAME, text), metadata={SAID: text[:MOST_CHARACTERS]})

    return FunctionToolset([Tool(web_search, name=NAME, requires_approval=approved)], id="web")


def _as_text(result: WebResult) -> str:
    return f"{result.title}\n{result.url}\n{result.text}"
