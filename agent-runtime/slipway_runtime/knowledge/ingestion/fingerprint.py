"""What makes two vectors comparable: the same model, the same way of cutting, the same limits."""

import hashlib

import orjson

from slipway_crds.runtimeconfig import DocumentsConfig, IngestConfig
from slipway_runtime.knowledge.embedding.embedder import Embedder
from slipway_runtime.knowledge.ingestion.chunking import CHUNKER
from slipway_runtime.knowledge.terms import TERMS
from slipway_runtime.knowledge.vectors.contract import VectorsRefused
from slipway_runtime.store.pointers import IndexPointer

REVISION_DIGITS = 10


class FingerprintMismatch(VectorsRefused):
    """A build has vectors of another model or another way of cutting than what is to be written to it."""


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


def revision_name(fingerprint: str, config: IngestConfig) -> str:
    """Name of the build with this fingerprint in these places: going back to earlier settings goes back to the earlier
    build."""
    named = fingerprint.encode() + config.vectors.canonical()
    if config.documents != DocumentsConfig():
        named += config.documents.canonical()
    return f"r-{hashlib.sha256(named).hexdigest()[:REVISION_DIGITS]}"


def check_fingerprint(pointer: IndexPointer | None, revision: str, fingerprint: str) -> None:
    """Keep vectors of one fingerprint out of a build of another.

    Args:
        pointer: of a build of the index; None if there is none.
        revision: of the build that is to be written.

    Raises:
        FingerprintMismatch: if it is that build, and its fingerprint is another one.
    """
    if pointer is not None and pointer.revision == revision and pointer.fingerprint != fingerprint:
        raise FingerprintMismatch(
            f"the build {revision} of {pointer.index} has vectors of the fingerprint {pointer.fingerprint[:10]}, and"
            f" those of {fingerprint[:10]} may not be added: nothing was written. Make a VectorIndex of another name"
        )
