"""A small stand-in for the API server: collections that can be listed and watched, and that can fail in named ways.

It knows nothing of schemas. What it does faithfully is what a watcher depends on: resource versions, watches from a
version, bookmarks, 410 for versions that are too old (as a status and as an event), and connections that break.
"""

import asyncio
from collections import defaultdict
from typing import Any

import orjson
from aiohttp import web

Object = dict[str, Any]


class FakeKubernetes:
    """The server and the levers to make it misbehave. Start and stop it as often as a test likes: the port stays."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.version = 100
        self.oldest = 0
        """Versions below this one have been compacted."""
        self.requests: list[str] = []
        self.refuse_with: int | None = None
        self.reviews: Object = {}
        """The status that every created object gets, as the server gives one to a TokenReview."""
        self.created: list[Object] = []
        self.silent = False
        self.cut_next_watch = False
        self._objects: defaultdict[str, dict[tuple[str, str], Object]] = defaultdict(dict)
        self._log: list[tuple[int, str, Object]] = []
        self._changed = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._connections: set[asyncio.Transport] = set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen."""
        app = web.Application()
        app.router.add_get("/{path:.*}", self._get)
        app.router.add_post("/{path:.*}", self._post)
        self._runner = web.AppRunner(app, shutdown_timeout=1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()

    async def stop(self) -> None:
        """Break all connections and be gone."""
        if self._runner:
            for transport in self._connections:
                transport.abort()
            self._connections.clear()
            await self._runner.cleanup()
            self._runner = None

    async def drop_watches(self) -> None:
        """Break all connections, and listen again at once."""
        await self.stop()
        await self.start()

    def apply(self, path: str, found: Object) -> None:
        """Create or replace an object."""
        key = (found["metadata"]["namespace"], found["metadata"]["name"])
        kind = "MODIFIED" if key in self._objects[path] else "ADDED"
        self._objects[path][key] = self._record(path, kind, found)

    def delete(self, path: str, namespace: str, name: str) -> None:
        """Delete an object."""
        self._record(path, "DELETED", self._objects[path].pop((namespace, name)))

    def lose_event(self, path: str, found: Object) -> None:
        """Change an object without notifying any watcher, as a bug or a compaction would."""
        self.version += 1
        found = {**found, "metadata": {**found["metadata"], "resourceVersion": str(self.version)}}
        self._objects[path][found["metadata"]["namespace"], found["metadata"]["name"]] = found

    def _record(self, path: str, kind: str, found: Object) -> Object:
        self.version += 1
        found = {**found, "metadata": {**found["metadata"], "resourceVersion": str(self.version)}}
        self._log.append((self.version, path, {"type": kind, "object": found}))
        self._changed.set()
        self._changed = asyncio.Event()
        return found

    async def _get(self, request: web.Request) -> web.StreamResponse:
        watching = request.query.get("watch") == "1"
        if request.transport:
            self._connections.add(request.transport)
        self.requests.append(("watch " if watching else "list ") + request.path)
        if self.refuse_with:
            return web.json_response({"message": "no"}, status=self.refuse_with)
        return await (self._watch(request) if watching else self._list(request))

    async def _post(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(f"create {request.path}")
        if self.refuse_with:
            return web.json_response({"message": "no"}, status=self.refuse_with)
        self.created.append(await request.json())
        return web.json_response({**self.created[-1], "status": self.reviews}, status=201)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        """One object a page, so that every list of two or more is read in pages."""
        objects = list(self._objects[request.path].values())
        start = int(request.query.get("continue", "0"))
        following = str(start + 1) if start + 1 < len(objects) else ""
        metadata = {"resourceVersion": str(self.version), "continue": following}
        return web.json_response({"metadata": metadata, "items": objects[start : start + 1]})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        since = int(request.query["resourceVersion"])
        response = web.StreamResponse(headers={"content-type": "application/json"})
        await response.prepare(request)
        if since < self.oldest:
            await _write(response, {"type": "ERROR", "object": {"code": 410, "message": "too old"}})
            return response
        if self.cut_next_watch:
            self.cut_next_watch = False
            await response.write(b'{"type": "MODIFIED", "obj')
            return response
        while True:
            changed = self._changed
            for version, path, event in list(self._log):
                if version > since and path == request.path:
                    await _write(response, event)
            since = self.version
            if not self.silent:
                bookmark = {"metadata": {"resourceVersion": str(since)}}
                await _write(response, {"type": "BOOKMARK", "object": bookmark})
            await changed.wait()


async def _write(response: web.StreamResponse, event: Object) -> None:
    await response.write(orjson.dumps(event) + b"\n")
