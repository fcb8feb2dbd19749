"""An MCP server with one tool, as a process: `python -m benchmarks.mcp_upstream ADDRESS PORT`."""

import sys

import uvicorn
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

server = MCPServer("bench")


@server.tool()
async def echo(text: str) -> str:
    """Say it again."""
    return text


def main() -> None:
    """Serve until told to stop."""
    anybody = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    app = server.streamable_http_app(transport_security=anybody, json_response=True, host=sys.argv[1])
    uvicorn.run(app, host=sys.argv[1], port=int(sys.argv[2]), log_level="error", access_log=False)


if __name__ == "__main__":
    main()
