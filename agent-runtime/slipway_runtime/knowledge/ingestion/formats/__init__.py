"""From files of several formats to text that can be cut by its structure."""
