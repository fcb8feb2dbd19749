"""Plugins at the gateway: which there are, and how callers reach their servers."""
