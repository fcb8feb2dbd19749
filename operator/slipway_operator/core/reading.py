"""Reading an answer up to a limit: what other people decide on may have any size."""

import aiohttp


class TooLargeError(ValueError):
    """The answer is longer than any that is expected."""


async def read_at_most(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body.

    Raises:
        TooLargeError: if it has more than `limit` bytes; the rest is not read.
    """
    data = bytearray()
    async for piece in response.content.iter_any():
        data += piece
        if len(data) > limit:
            response.close()
            raise TooLargeError(f"the answer has more than {limit} bytes")
    return bytes(data)
