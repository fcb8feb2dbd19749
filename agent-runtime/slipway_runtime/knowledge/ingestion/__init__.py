"""From the sources of an index to a build that agents can read."""
