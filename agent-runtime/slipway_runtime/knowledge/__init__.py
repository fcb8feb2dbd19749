"""From documents to cited sentences: chunking, embedding, ingestion, vector search, extraction."""
