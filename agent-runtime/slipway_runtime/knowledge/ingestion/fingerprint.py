"""What makes two vectors comparable: the same model, the same way of cutting, the same limits."""

import hashlib

import orjson

from slipway_crds.runtimeconfig import IngestConfig, VectorsConfig
from slipway_runtime.knowledge.embedding.embedder import Embedder
from slipway_runtime.knowledge.ingestion.chunking import CHUNKER
from slipway_runtime.knowledge.terms import TERMS

REVISION_DIGITS = 10


def fingerprint(config: IngestConfig, embedder: Embedder) -> str:
    """Identity of model and chunker, in hexadecimal. Vectors of different fingerprints never share a build."""
    parts = {
        **embedder.identity,
        "dimensions": embedder.dimensions,
        "metric": "cosine",
        "chunker": CHUNKER,
        "terms": TERMS,
        "max_tokens": config.max_tokens,
        "overlap": config.overlap,
    }
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()


def revision_name(fingerprint: str, vectors: VectorsConfig) -> str:
    """Name of the build with this fingerprint in this place: going back to earlier settings goes back to the earlier
    build."""
    digest = hashlib.sha256(fingerprint.encode() + vectors.canonical()).hexdigest()
    return f"r-{digest[:REVISION_DIGITS]}"
