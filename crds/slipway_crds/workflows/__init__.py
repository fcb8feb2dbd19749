"""The kind `Workflow`."""
