"""MCP servers at the gateway: one for each agent, and one that has all that a caller may use."""
