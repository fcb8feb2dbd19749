"""The agent architectures, all behind one protocol."""
