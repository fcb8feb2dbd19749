"""From what is observed to what is to be done: pure functions, one module a kind. `controllers` carry the plans out."""
