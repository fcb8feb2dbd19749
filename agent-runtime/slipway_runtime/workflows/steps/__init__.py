"""What steps do: calls of agents, and searches."""
