"""Workflows at the gateway: what there is, passing on to workers, and what workers may call."""
