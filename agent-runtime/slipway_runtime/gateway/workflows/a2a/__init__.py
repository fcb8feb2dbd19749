"""Workflows by A2A: a run is a task, and an approval is an input that it requires."""
