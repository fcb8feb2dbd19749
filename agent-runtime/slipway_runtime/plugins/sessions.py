"""Sessions with a server of 2025-11-25 for callers who have none: one for each, kept for their next calls."""

import asyncio
import time
from dataclasses import dataclass, field

from slipway_runtime.plugins.discovery import ErrorAnswer, ServerLink, handshake, leave
from slipway_runtime.plugins.server import PluginServer, ServerFailed

MOST = 256
"""Of one server. The one that was not used for the longest time ends."""
IDLE_SECONDS = 600.0


@dataclass
class _Kept:
    link: "asyncio.Task[ServerLink]"
    used: float = field(default_factory=time.monotonic)


class LegacySessions:
    """Sessions by their owner. No two callers share one: a server may keep what a client sent in it."""

    def __init__(self, server: PluginServer) -> None:
        self._server = server
        self._kept: dict[str, _Kept] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    async def of(self, owner: str) -> ServerLink:
        """The owner's session, begun if there is none.

        Raises:
            ServerFailed: if it cannot be begun.
        """
        self._expire()
        kept = self._kept.pop(owner, None)
        if kept is None or (kept.link.done() and (kept.link.cancelled() or kept.link.exception() is not None)):
            kept = _Kept(asyncio.create_task(self._begin()))
        kept.used = time.monotonic()
        self._kept[owner] = kept  # as the last one
        return await asyncio.shield(kept.link)

    def forget(self, owner: str, link: ServerLink) -> None:
        """The server does not know this session any more."""
        kept = self._kept.get(owner)
        if kept is not None and kept.link.done() and not kept.link.exception() and kept.link.result() is link:
            del self._kept[owner]

    async def close(self) -> None:
        """Forget all sessions. The server ends them itself when they are idle."""
        for kept in self._kept.values():
            kept.link.cancel()
        self._kept.clear()
        for task in self._leaving:
            task.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)

    async def _begin(self) -> ServerLink:
        try:
            link, _ = await handshake(self._server)
        except ErrorAnswer as error:
            raise ServerFailed(
                "ServerRefused", f"the server of plugin {self._server.upstream.key} began no session: {error}"
            ) from None
        return link

    def _expire(self) -> None:
        oldest = time.monotonic() - IDLE_SECONDS
        for owner, kept in list(self._kept.items()):
            if len(self._kept) < MOST and kept.used > oldest:
                return
            del self._kept[owner]
            if kept.link.done() and not kept.link.cancelled() and not kept.link.exception():
                task = asyncio.create_task(leave(kept.link.result()))
                self._leaving.add(task)
                task.add_done_callback(self._leaving.discard)
            else:
                kept.link.cancel()
