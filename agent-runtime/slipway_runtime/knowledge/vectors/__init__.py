"""Where the vectors of chunks are kept and searched."""
