"""Pictures as clients send them: data URLs only, since a URL that the gateway would fetch is a way into the cluster."""

import base64
import binascii
import re

from slipway_runtime.protocols.ask import ImagePart
from slipway_runtime.protocols.image_sizes import size_of

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
PIXELS_MAX = 50_000_000
"""Of one picture: 8,000 by 6,000 and a little more. Decoded, that takes 200 MB."""
TYPES = ", ".join(name.removeprefix("image/") for name in BEGINNINGS)


class NotAnImage(ValueError):
    """The text says what was sent instead, and what to send."""


class TooManyPixels(NotAnImage):
    """A picture that is small as a file, and huge once it is decoded."""


def check_pixels(media_type: str, data: bytes) -> None:
    """See that a picture is not too large to decode, by its header.

    Raises:
        TooManyPixels: if it has more than `PIXELS_MAX`, or a header that hides how many.
    """
    try:
        size = size_of(media_type, data)
    except ValueError as error:
        raise TooManyPixels(f"the header of the picture cannot be read ({error}): save it anew") from None
    if size is not None and size[0] * size[1] > PIXELS_MAX:
        raise TooManyPixels(f"a picture of {size[0]} by {size[1]} pixels is too large: send one of at most 50 million")


def read_data_url(url: str) -> ImagePart:
    """The picture in a data URL.

    Raises:
        NotAnImage: for another URL, a type that models do not take, bytes that are no picture of that type, and a
            picture of too many pixels (`TooManyPixels`).
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
    check_pixels(media_type, whole)
    return ImagePart(media_type=media_type, data=data)
