"""Servers of tools: how the gateway and connectors call them, and what they find out about them."""
