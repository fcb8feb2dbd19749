"""Servers that are looked at again and again, so that their era and their tools are known before anybody calls."""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slipway_crds.plugins.model import TOOLS_SHOWN
from slipway_crds.plugins.upstream import McpUpstream
from slipway_runtime.plugins.changes import Changes
from slipway_runtime.plugins.discovery import Discovery, discover
from slipway_runtime.plugins.server import PluginServer, ServerAccess, ServerFailed
from slipway_runtime.plugins.sessions import LegacySessions

log = logging.getLogger(__name__)

LOOK_SECONDS = 60.0
SOON_SECONDS = 5.0
"""After a look that failed."""
LOOK_LIMIT_SECONDS = 60.0
"""How long one look may take, however slow the server is with each of its answers."""
NAME_LENGTH = 128
ERROR_LENGTH = 1000


@dataclass(frozen=True)
class Report:
    """What a status says of a server."""

    discovery: Discovery | None
    error: str = ""
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Bounded, whatever the server says."""
        found = self.discovery
        told: dict[str, Any] = {"reason": self.reason, "error": self.error[:ERROR_LENGTH]}
        if found is not None:
            told |= {
                "era": found.era,
                "protocolVersion": found.version,
                "toolCount": len(found.tools),
                "tools": sorted(tool.name[:NAME_LENGTH] for tool in found.tools)[:TOOLS_SHOWN],
                "note": found.note[:ERROR_LENGTH],
            }
        return told


class WatchedServer:
    """A server with what is known of it.

    Args:
        changed: called when what is known has changed.
    """

    def __init__(
        self, upstream: McpUpstream, access: ServerAccess, *, changed: Callable[[], None] = lambda: None
    ) -> None:
        self.server = PluginServer(upstream, access)
        self.access = access
        self.sessions = LegacySessions(self.server)
        self.ongoing: dict[tuple[str, object], asyncio.Event] = {}
        """Requests of clients of 2025-11-25 at a server of 2026-07-28, so that they can be cancelled."""
        self.changes = Changes(self.server, self.look)
        self._changed = changed
        self._found: Discovery | None = None
        self._error: ServerFailed | None = None
        self._looking: asyncio.Task[Discovery] | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def upstream(self) -> McpUpstream:
        """Where it is."""
        return self.server.upstream

    @property
    def known(self) -> Discovery | None:
        """What was found last; None before the first look that succeeded."""
        return self._found

    @property
    def report(self) -> Report | None:
        """For a status; None before the first look has ended."""
        if self._found is None and self._error is None:
            return None
        error = self._error
        return Report(self._found, str(error) if error else "", error.reason if error else "")

    def watch(self) -> None:
        """Look at it from now on, until `close`."""
        self._watching = asyncio.create_task(self._watch())

    async def discovery(self) -> Discovery:
        """What is known, asking the server if nothing is yet.

        Raises:
            ServerFailed: if it does not say.
        """
        if self._found is not None:
            return self._found
        return await asyncio.shield(self._look())

    async def look(self) -> Discovery:
        """Ask the server now. Raises ServerFailed."""
        return await asyncio.shield(self._look())

    async def close(self) -> None:
        """Stop looking, and close all connections."""
        tasks = [task for task in (self._watching, self._looking) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.changes.close()
        await self.sessions.close()
        await self.server.close()

    def _look(self) -> "asyncio.Task[Discovery]":
        """One look at a time, for everybody who waits for it."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._ask())
            self._looking.add_done_callback(_retrieved)
        return self._looking

    async def _ask(self) -> Discovery:
        before = (self._found, str(self._error))
        try:
            async with asyncio.timeout(LOOK_LIMIT_SECONDS):
                self._found, self._error = await discover(self.server), None
        except TimeoutError:
            self._error = ServerFailed(
                "ServerTimeout", f"the server of plugin {self.upstream.key} did not say what it has in time", status=504
            )
            raise self._error from None
        except ServerFailed as error:
            if error.reason != "ServerLeftAlone" or self._error is None:  # which only says that it failed before
                self._error = error
            raise
        finally:
            if before != (self._found, str(self._error)):
                self._changed()
        return self._found

    async def _watch(self) -> None:
        while True:
            try:
                await self.look()
                pause = LOOK_SECONDS
            except ServerFailed:
                pause = SOON_SECONDS
            await asyncio.sleep(pause * random.uniform(0.75, 1.25))


def _retrieved(task: "asyncio.Task[Discovery]") -> None:
    if not task.cancelled():
        task.exception()
