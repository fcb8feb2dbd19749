"""The kind `Plugin`."""
