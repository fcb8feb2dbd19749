"""`slipway connect`: an assistant on this machine gets to know the MCP server of an agent, or of all of them."""
