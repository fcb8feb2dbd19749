"""An MCP server with two tools, made with the official SDK: `python examples/plugin/server.py`, on port 9000."""

from datetime import UTC, datetime, timedelta

from mcp.server import MCPServer
from mcp_types import ToolAnnotations

server = MCPServer("clock")
READ_ONLY = ToolAnnotations(read_only_hint=True)


@server.tool(name="time.now", annotations=READ_ONLY)
def now() -> str:
    """The time, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@server.tool(name="time.add", annotations=READ_ONLY)
def add(time: str, minutes: int) -> str:
    """A time, so many minutes later."""
    return (datetime.fromisoformat(time) + timedelta(minutes=minutes)).isoformat(timespec="seconds")


if __name__ == "__main__":
    server.run("streamable-http", host="127.0.0.1", port=9000)
