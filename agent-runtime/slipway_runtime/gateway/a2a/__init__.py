"""The paths of A2A 1.0: cards, and what clients ask of tasks."""
