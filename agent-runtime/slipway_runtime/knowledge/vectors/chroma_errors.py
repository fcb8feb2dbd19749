"""What Chroma's words mean, for the embedded one and the server alike."""

from slipway_runtime.knowledge.vectors.contract import VectorsFull, VectorsRefused, VectorsUnavailable

_DISK_FULL = "disk is full"
"""SQLite's words (SQLITE_FULL), which Chroma passes on in an internal error."""


_DIMENSIONS = "dimension"
"""Part of its words for a vector that does not fit a collection."""


def failure(message: str) -> VectorsUnavailable:
    """The exception for a call that failed with these words."""
    if _DISK_FULL in message:
        return VectorsFull(message)
    return VectorsRefused(message) if _DIMENSIONS in message else VectorsUnavailable(message)
