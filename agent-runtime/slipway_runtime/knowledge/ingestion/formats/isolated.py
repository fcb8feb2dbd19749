"""Files read in a process of their own (`child.py`), which may be ended at any time without harm."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress

import orjson

from slipway_runtime.knowledge.ingestion.formats.child import CPU_SECONDS, LENGTH
from slipway_runtime.knowledge.ingestion.formats.choosing import FileFormat
from slipway_runtime.knowledge.ingestion.formats.parsed import Media, Parsed, Unreadable

PATIENCE = 3 * CPU_SECONDS
"""Seconds for one file; a machine that is busy gives a process less than its time."""
TOO_MUCH = f"reading it takes more than {CPU_SECONDS} s of processor time, or too much memory; split it or save it anew"


class IsolatedReader:
    """Reads files one by one; the process starts with the first of them, and again after one that ended it."""

    def __init__(self, *, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._process: Process | None = None

    async def read(self, kind: FileFormat, content: bytes) -> Parsed:
        """The text of a file.

        Raises:
            Unreadable: if it cannot be read, or not with the time and memory that a file may take.
        """
        try:
            async with asyncio.timeout(self._patience):
                result = await self._ask(kind.value.encode() + b"\n" + content)
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError) as error:
            await self.close()
            raise Unreadable(TOO_MUCH) from error
        except asyncio.CancelledError:
            await self.close()
            raise
        found = orjson.loads(result)
        if "unreadable" in found:
            raise Unreadable(found["unreadable"])
        parsed = found["parsed"]
        for name in ("pages", "headings"):
            parsed[name] = tuple((start, value) for start, value in parsed[name])
        return Parsed(**{**parsed, "media": Media(parsed["media"]), "rows": tuple(parsed["rows"])})

    async def _ask(self, request: bytes) -> bytes:
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", f"{__package__}.child", stdin=PIPE, stdout=PIPE, stderr=DEVNULL
            )
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(LENGTH.pack(len(request)))
        stdin.write(request)
        await stdin.drain()
        (length,) = LENGTH.unpack(await stdout.readexactly(LENGTH.size))
        return await stdout.readexactly(length)

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.communicate()
