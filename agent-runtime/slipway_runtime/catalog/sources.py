"""Where a catalogue is: a folder, its index file, or an https address."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
from yarl import URL

from slipway_crds.catalog import INDEX_FILE

MOST_BYTES = 16 * 1024 * 1024
"""Of one file."""
SECONDS = 30.0


class CatalogProblem(Exception):
    """What was asked for cannot be done; the text says why and what to do."""


Read = Callable[[str], Awaitable[bytes]]
"""Gives the content of a file by its path relative to the index. Raises CatalogProblem."""


def reader(source: str) -> Read:
    """How the files of a catalogue are read.

    Args:
        source: a folder with an `index.json`, that file, or the https address of one of the two.

    Raises:
        CatalogProblem: for an address that is not https.
    """
    if "://" in source:
        return _over_http(source)
    path = Path(source)
    folder = path.parent if path.name == INDEX_FILE else path

    async def read(name: str) -> bytes:
        try:
            with (folder / name).open("rb") as file:
                content = file.read(MOST_BYTES + 1)
        except OSError as error:
            raise CatalogProblem(f"{folder / name} cannot be read: {error.strerror}") from None
        return _bounded(content, str(folder / name))

    return read


def _over_http(source: str) -> Read:
    url = URL(source)
    if url.scheme != "https" and not (url.scheme == "http" and url.host in ("127.0.0.1", "localhost", "::1")):
        raise CatalogProblem(f"{source} is no https address: write one, or the path of a folder")
    folder = url.parent if url.name == INDEX_FILE else url

    async def read(name: str) -> bytes:
        address = folder.joinpath(*name.split("/"))
        timeout = aiohttp.ClientTimeout(total=SECONDS)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as session, session.get(address) as response:
                if response.status != 200:
                    raise CatalogProblem(f"{address} answered {response.status}: correct the address")
                content = bytearray()
                async for piece in response.content.iter_chunked(65536):
                    content += piece
                    _bounded(content, str(address))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise CatalogProblem(f"{address} cannot be read ({error or 'it took too long'}): try again later") from None
        return bytes(content)

    return read


def _bounded(content: bytes | bytearray, name: str) -> bytes:
    if len(content) > MOST_BYTES:
        raise CatalogProblem(f"{name} has more than {MOST_BYTES >> 20} MiB: it is no file of a catalogue")
    return bytes(content)
