"""Where each assistant keeps its MCP servers, and in which form.

The formats are those of the assistants' own pages (see `page`). No key is ever written: an assistant reads it from the
environment, or asks for it and keeps it itself.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

Json = dict[str, Any]
INPUT = "slipway-api-key"
"""The id of the input by which VS Code asks for the key."""


class Assistant(StrEnum):
    """Those that are known."""

    COPILOT = "copilot"
    CURSOR = "cursor"
    AMAZON_Q = "amazon-q"
    CLAUDE_CODE = "claude-code"
    VSCODE = "vscode"


@dataclass(frozen=True)
class Format:
    """How an assistant has it."""

    file: str
    """Below the project's folder."""
    servers: str
    """The field that has the servers, by name."""
    key: str
    """How a header refers to the environment's variable NAME."""
    page: str
    """The documentation."""
    extra: Mapping[str, Any]
    """What a server has besides its URL and headers."""
    home: tuple[str, str] | None = None
    """Where the file is not the project's: the environment's variable that names the folder, and the usual folder."""
    asks: bool = False
    """Whether the assistant asks for the key itself: `key` refers to an input then."""

    def path(self, project: Path) -> Path:
        """The file."""
        if self.home is None:
            return project / self.file
        variable, usual = self.home
        return Path(os.environ.get(variable) or usual).expanduser() / self.file

    def server(self, url: str, *, variable: str | None) -> Json:
        """The entry of a server.

        Args:
            variable: of the environment, which has the key; None for a gateway that needs none.
        """
        headers = {} if variable is None else {"headers": {"X-API-Key": self.key.replace("NAME", variable)}}
        return {**self.extra, "url": url, **headers}


FORMATS: Mapping[Assistant, Format] = {
    Assistant.COPILOT: Format(
        file="mcp-config.json",
        home=("COPILOT_HOME", "~/.copilot"),
        servers="mcpServers",
        key="${NAME}",
        page="https://docs.github.com/en/copilot/how-tos/copilot-cli/customize-copilot/add-mcp-servers",
        extra={"type": "http", "tools": ["*"]},
    ),
    Assistant.CURSOR: Format(
        file=".cursor/mcp.json",
        servers="mcpServers",
        key="${env:NAME}",
        page="https://cursor.com/docs/mcp",
        extra={},
    ),
    Assistant.AMAZON_Q: Format(
        file=".amazonq/mcp.json",
        servers="mcpServers",
        key="${env:NAME}",
        page="https://docs.aws.amazon.com/amazonq/latest/qdeveloper-ug/command-line-mcp-config-CLI.html",
        extra={"type": "http"},
    ),
    Assistant.CLAUDE_CODE: Format(
        file=".mcp.json",
        servers="mcpServers",
        key="${NAME}",
        page="https://code.claude.com/docs/en/mcp",
        extra={"type": "http"},
    ),
    Assistant.VSCODE: Format(
        file=".vscode/mcp.json",
        servers="servers",
        key=f"${{input:{INPUT}}}",
        page="https://code.visualstudio.com/docs/agents/reference/mcp-configuration",
        extra={"type": "http"},
        asks=True,
    ),
}


def merged(former: Json, assistant: Assistant, *, name: str, url: str, variable: str | None) -> Json:
    """The configuration with the server in it; everything else stays.

    Raises:
        ValueError: if what is there has not the form that the assistant documents.
    """
    form = FORMATS[assistant]
    servers = former.get(form.servers, {})
    if not isinstance(servers, dict):
        raise ValueError(f"{form.servers} is no object")
    found = {**former, form.servers: {**servers, name: form.server(url, variable=variable)}}
    if form.asks and variable is not None:
        found["inputs"] = _inputs(former)
    return found


def _inputs(former: Json) -> list[Json]:
    inputs = former.get("inputs", [])
    if not isinstance(inputs, list) or not all(isinstance(each, dict) for each in inputs):
        raise ValueError("inputs is no list of objects")
    if any(each.get("id") == INPUT for each in inputs):
        return inputs
    asked = {"type": "promptString", "id": INPUT, "description": "API key of the Slipway gateway", "password": True}
    return [*inputs, asked]
