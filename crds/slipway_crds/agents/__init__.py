"""The kind `Agent`."""
