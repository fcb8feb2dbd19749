"""How many pixels a picture says it has, read from its header. Nothing is decoded.

A few kilobytes may be a picture of gigabytes once a model's server decodes it. Each format is read as its specification
has it: PNG (W3C), JPEG (ITU-T T.81, B.2), GIF89a, and WebP (RFC 9649).
"""

import re
from collections.abc import Callable, Mapping

Size = tuple[int, int]
"""Width and height."""
START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of JPEG that are followed by the size."""
WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xDA)))
"""Markers of JPEG that stand alone."""
START_OF_SCAN = 0xDA
MARKER = re.compile(rb"\xff+([\x01-\xfe])")
SEGMENTS_MAX = 10_000
"""Of a JPEG before its size: hundreds are usual for one with a large colour profile and a preview."""


def size_of(media_type: str, data: bytes) -> Size | None:
    """Width and height in pixels; None for a picture whose header does not tell, which nothing can decode.

    Raises:
        ValueError: for a header that would take too long to read.
    """
    return READERS[media_type](data)


def _png(data: bytes) -> Size | None:
    return (_big(data[16:20]), _big(data[20:24])) if data[12:16] == b"IHDR" and len(data) >= 24 else None


def _gif(data: bytes) -> Size | None:
    return (_little(data[6:8]), _little(data[8:10])) if len(data) >= 10 else None


def _webp(data: bytes) -> Size | None:
    kind = data[12:16]
    if len(data) < 30:
        return None
    if kind == b"VP8X":
        return 1 + _little(data[24:27]), 1 + _little(data[27:30])
    if kind == b"VP8L":
        bits = _little(data[21:25])
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        return _little(data[26:28]) & 0x3FFF, _little(data[28:30]) & 0x3FFF
    return None


def _jpeg(data: bytes) -> Size | None:
    at = 2
    for _ in range(SEGMENTS_MAX):
        found = MARKER.search(data, at)  # decoders pass over what is in between
        if found is None or found[1][0] == START_OF_SCAN:
            return None
        marker, at = found[1][0], found.end()
        if marker in START_OF_FRAME:
            return (_big(data[at + 5 : at + 7]), _big(data[at + 3 : at + 5])) if len(data) >= at + 7 else None
        if marker not in WITHOUT_LENGTH:
            at += _big(data[at : at + 2])
    raise ValueError(f"more than {SEGMENTS_MAX} segments before the size")


def _big(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")


READERS: Mapping[str, Callable[[bytes], Size | None]] = {
    "image/png": _png,
    "image/jpeg": _jpeg,
    "image/gif": _gif,
    "image/webp": _webp,
}
"""By media type."""
