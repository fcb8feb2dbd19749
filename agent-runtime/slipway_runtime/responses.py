"""Answers of servers that a tenant chose, with bounds on what costs time without being long."""

from typing import Any

import aiohttp
from aiohttp.connector import Connection

MESSAGES_MAX = 10
PIECES_FREE = 1000
"""How many pieces of any size a body may come in."""
PIECE_BYTES = 32
"""How long all pieces beyond must be on average: an event has more, and each piece costs time, however short it is."""


class InvalidAnswer(Exception):
    """An answer is none that its server may send. The text says what, and ends a sentence like "a pod sent ..."."""


class PodResponse(aiohttp.ClientResponse):
    """A response with bounds on what costs the gateway time without being long.

    Few interim answers may come before it (100 Continue, 103 Early Hints), of which hosts send none. Its body may not
    come in many tiny pieces: a pod that sends chunks of one byte gives the gateway far more work than a host.
    """

    _pieces = 0
    _taken = 0

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        """Read the headers. Raises InvalidAnswer."""
        protocol = connection.protocol
        assert protocol is not None
        messages = 0

        async def read() -> Any:
            nonlocal messages
            messages += 1
            if messages > MESSAGES_MAX:
                raise InvalidAnswer("one interim answer after the other")
            return await type(protocol).read(protocol)

        protocol.read = read  # type: ignore[method-assign]  # aiohttp skips any number of them
        try:
            return await super().start(connection)
        finally:
            del protocol.read

    async def some(self) -> bytes:
        """What has come of the body, as soon as there is anything; nothing at its end. The only way to read it.

        Raises:
            InvalidAnswer: for a body in tiny pieces.
        """
        content, got = self.content, bytearray()
        while not content.at_eof() and (not got or self._taken < content.total_bytes):  # waits for the first one only
            piece, _ = await content.readchunk()
            got += piece
            self._taken += len(piece)
            self._pieces += 1
            if (self._pieces - PIECES_FREE) * PIECE_BYTES > self._taken:
                raise InvalidAnswer("a body in tiny pieces")
        return bytes(got)
