"""Workflows: durable runs of steps that agents, searches and people do."""
