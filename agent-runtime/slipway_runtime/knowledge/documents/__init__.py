"""The documents of indexes: their texts, wherever those are kept, and what became of each."""
