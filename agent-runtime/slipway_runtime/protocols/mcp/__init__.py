"""The Model Context Protocol (MCP) at the gateway: its two eras on the wire, and runs in its words."""
