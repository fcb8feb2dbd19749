"""The kind `VectorIndex`."""
