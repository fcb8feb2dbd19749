"""What Chroma's words mean, for the embedded one and the server alike."""

from slipway_runtime.knowledge.vectors.contract import VectorsFull, VectorsUnavailable

_DISK_FULL = "disk is full"
"""SQLite's words (SQLITE_FULL), which Chroma passes on in an internal error."""


def failure(message: str) -> VectorsUnavailable:
    """The exception for a call that failed with these words."""
    return VectorsFull(message) if _DISK_FULL in message else VectorsUnavailable(message)
