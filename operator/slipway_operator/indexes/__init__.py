"""VectorIndexes: their servers, their ingestions and their status."""
