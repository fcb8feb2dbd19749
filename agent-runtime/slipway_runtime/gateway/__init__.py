"""The front door: authenticates, routes, balances, retries and re-attaches. No agent framework is imported here."""
