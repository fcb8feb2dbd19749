"""A host: a process that serves agents. It joins agents, runs and protocols."""
