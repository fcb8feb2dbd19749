"""Pictures as clients send them: data URLs only, since a URL that the gateway would fetch is a way into the cluster."""

import base64
import binascii
import re

from slipway_runtime.protocols.ask import ImagePart

DATA_URL = re.compile(r"data:(image/[a-z0-9.+-]{1,40});base64,", re.IGNORECASE)
BEGINNINGS = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
}
"""How files of each media type begin."""
CODED_BEGINNING = 16
"""Base64 characters that hold the longest beginning."""
TYPES = ", ".join(name.removeprefix("image/") for name in BEGINNINGS)


class NotAnImage(ValueError):
    """The text says what was sent instead, and what to send."""


def read_data_url(url: str) -> ImagePart:
    """The picture in a data URL.

    Raises:
        NotAnImage: for another URL, a type that models do not take, and bytes that are no picture of that type.
    """
    found = DATA_URL.match(url)
    if found is None:
        raise NotAnImage(f"send the picture itself as data:image/png;base64,... ({TYPES}); no URL is fetched")
    media_type, data = found[1].lower(), url[found.end() :]
    if media_type not in BEGINNINGS:
        raise NotAnImage(f"{media_type} is not taken: send one of {TYPES}")
    try:
        beginning = base64.b64decode(data[:CODED_BEGINNING], validate=True)
        whole = binascii.a2b_base64(data, strict_mode=True)
    except ValueError:
        raise NotAnImage("the data is not Base64 (RFC 4648, with padding and without line breaks)") from None
    webp = media_type != "image/webp" or whole[8:12] == b"WEBP"
    if not (beginning.startswith(BEGINNINGS[media_type]) and webp):
        raise NotAnImage(f"the data is not a picture of the type {media_type}")
    return ImagePart(media_type=media_type, data=data)
