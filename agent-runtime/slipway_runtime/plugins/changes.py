"""Changes of what a server of 2026-07-28 lists: one subscription, however many clients want to know of them."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import aiohttp

from slipway_runtime.plugins.discovery import MODERN, Discovery, ServerLink, modern_meta
from slipway_runtime.plugins.event_streams import EventReader, data_of
from slipway_runtime.plugins.messages import ENDLESS, EVENT_STREAM, dumps
from slipway_runtime.plugins.server import PluginServer, ServerFailed, media_type
from slipway_runtime.responses import InvalidAnswer

log = logging.getLogger(__name__)

KINDS: Mapping[str, str] = {f"notifications/{kind}/list_changed": kind for kind in ("tools", "resources", "prompts")}
"""What changes, by the notification that says so."""
AGAIN_SECONDS = 5.0
"""After a stream that ended or could not be opened, and after a look at a server that has none."""
BROKEN = (ServerFailed, aiohttp.ClientError, TimeoutError, ConnectionError, InvalidAnswer, ValueError)


class Changes:
    """Of one server.

    Args:
        look: asks the server what it has now. It may raise ServerFailed.
    """

    def __init__(self, server: PluginServer, look: Callable[[], Awaitable[Discovery]]) -> None:
        self._server = server
        self._look = look
        self._followers: set[asyncio.Queue[str]] = set()
        self._following: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def followed(self) -> AsyncIterator["asyncio.Queue[str]"]:
        """The kinds that change meanwhile. The first who wants to know subscribes, and the last one leaves."""
        queue: asyncio.Queue[str] = asyncio.Queue()
        self._followers.add(queue)
        if self._following is None:
            self._following = asyncio.create_task(self._follow())
        try:
            yield queue
        finally:
            self._followers.discard(queue)
            if not self._followers:
                await self.close()

    async def close(self) -> None:
        """End the subscription."""
        following, self._following = self._following, None
        if following is not None:
            following.cancel()
            await asyncio.wait({following})

    async def _follow(self) -> None:
        known: Discovery | None = None
        while True:
            try:
                found = await self._look()
                self._tell(*_changed(known, found))  # while there was no stream
                known = found
                if found.era == MODERN:
                    known = await self._listen(found)
            except BROKEN as error:
                log.info("changes of plugin %s are not told: %s", self._server.upstream.key, error)
            await asyncio.sleep(AGAIN_SECONDS * random.uniform(0.75, 1.25))

    async def _listen(self, known: Discovery) -> Discovery:
        """Follow the stream to its end. Returns what the server had last."""
        wanted = {f"{kind}ListChanged": True for kind in KINDS.values()}
        params = {"notifications": wanted, "_meta": modern_meta()}
        body = dumps({"jsonrpc": "2.0", "id": 1, "method": ENDLESS, "params": params})
        headers = ServerLink(self._server, MODERN).headers(ENDLESS)
        async with self._server.open("POST", headers, body, endless=True) as response:
            if media_type(response) != EVENT_STREAM:
                return known
            reader = EventReader()
            while piece := await response.some():
                for event in reader.feed(piece):
                    kind = KINDS.get(str((data_of(event) or {}).get("method")))
                    if kind is not None:
                        known = await self._look()
                        self._tell(kind)
        return known

    def _tell(self, *kinds: str) -> None:
        for queue in self._followers:
            for kind in kinds:
                queue.put_nowait(kind)


def _changed(before: Discovery | None, now: Discovery) -> list[str]:
    """The kinds of which another list was found than before."""
    if before is None:
        return []
    pairs = {
        "tools": (before.tools, now.tools),
        "resources": (
            (before.offers.resources, before.offers.templates),
            (now.offers.resources, now.offers.templates),
        ),
        "prompts": (before.offers.prompts, now.offers.prompts),
    }
    return [kind for kind, (old, new) in pairs.items() if old != new]
