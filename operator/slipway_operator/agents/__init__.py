"""Agents: their revisions, their objects and their status."""
