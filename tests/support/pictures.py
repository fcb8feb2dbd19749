"""Pictures as clients send them."""

import base64

LARGE_PICTURE = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(200_000)).decode()
"""Longer than a question without one may be."""
