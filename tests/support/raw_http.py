"""HTTP by hand, for what no client library would send."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

PATIENCE = 60.0


@dataclass(frozen=True)
class Answer:
    """One response, read to the end of the connection."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        assert self.headers["content-type"] == "application/problem+json"
        problem: dict[str, Any] = json.loads(self.body)
        assert problem["status"] == self.status
        return problem

    @property
    def refusal(self) -> tuple[int, str]:
        return self.status, self.problem["reason"]


class Connection:
    """A socket that says what it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> bool:
        """Send; False if the other side has closed."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except ConnectionError:
            return False
        return True

    async def flood(self, data: bytes, *, total: int) -> None:
        """Send the same again and again, up to a number of bytes or until the other side has had enough."""
        for _ in range(0, total, len(data)):
            if not await self.send(data):
                return

    async def rest(self) -> bytes:
        """What comes up to the end of the connection, orderly or not."""
        got = bytearray()
        async with asyncio.timeout(PATIENCE):
            try:
                while piece := await self.reader.read(65536):
                    got += piece
            except ConnectionError:
                pass
        return bytes(got)

    async def answer(self) -> Answer:
        """The response, after which the connection must end."""
        return parsed(await self.rest())


def parsed(data: bytes) -> Answer:
    """A response whose body ends where the data ends."""
    head, _, body = data.partition(b"\r\n\r\n")
    assert head, "there is no response"
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return Answer(int(status.split()[1]), headers, body)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    """A connection to the server of a URL."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        yield Connection(reader, writer)
    finally:
        writer.transport.abort()


async def exchange(url: str, data: bytes) -> Answer:
    """Send bytes, and read the response to the end of the connection."""
    async with connected(url) as connection:
        await connection.send(data)
        return await connection.answer()
