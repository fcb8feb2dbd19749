"""An API server that misbehaves on request: conflicts, "too many requests", dropped and expired watches."""

import asyncio
import json
import re
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import ApiClient, Configuration

from slipway_operator.core.kube import KubeClient


@dataclass
class Fault:
    """An answer to give instead of the right one."""

    status: int
    reason: str
    headers: dict[str, str] = field(default_factory=dict)
    message: str = ""


_COLLECTION = re.compile("/namespaces/[^/]+/[a-z]+$|/v[0-9][^/]*/[a-z]+$")
"""The end of a path that lists objects."""


class FakeApi:
    """Objects by path. `faults` are answered first, one a request; `watches` are streams to be played, in order."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.faults: deque[Fault] = deque()
        self.watches: deque[list[dict[str, Any]] | Fault] = deque()
        self.requests: list[tuple[str, str]] = []
        self.unknown: set[str] = set()
        """Plurals of kinds that are not installed."""
        self.url = ""
        self._version = 100

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("watch"):
            return await self._watch(request)
        self.requests.append((request.method, request.path_qs))
        if self.faults:
            return _status(self.faults.popleft())
        if self.unknown & set(request.path.split("/")):
            return _status(Fault(404, "NotFound"))
        body = json.loads(await request.read() or b"{}")
        return await getattr(self, f"_{request.method.lower()}")(request, body)  # type: ignore[no-any-return]

    async def _get(self, request: web.Request, _: dict[str, Any]) -> web.Response:
        if request.path in self.objects:
            return web.json_response(self.objects[request.path])
        below = [
            found
            for path, found in self.objects.items()
            if any(each.rpartition("/")[0] == request.path for each in (path, _in_cluster(path)))
        ]
        if not below and not _COLLECTION.search(request.path):
            return _status(Fault(404, "NotFound"))
        return web.json_response({"metadata": {"resourceVersion": str(self._version)}, "items": below})

    async def _post(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        path = f"{request.path}/{body['metadata']['name']}"
        if path in self.objects:
            return _status(Fault(409, "AlreadyExists"))
        return self._store(path, body)

    async def _put(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        old = self.objects[request.path]
        if body["metadata"]["resourceVersion"] != old["metadata"]["resourceVersion"]:
            return _status(Fault(409, "Conflict"))
        return self._store(request.path, body)

    async def _patch(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        path = request.path.removesuffix("/status")
        old = self.objects.get(path, {})
        metadata, changed = old.get("metadata", {}), body.get("metadata", {})
        annotations = {**metadata.get("annotations", {}), **changed.get("annotations", {})}
        status = {**old.get("status", {}), **body.get("status", {})}
        merged = {**metadata, **changed, "annotations": annotations}
        return self._store(path, {**old, **body, "metadata": merged, "status": status})

    async def _delete(self, request: web.Request, _: dict[str, Any]) -> web.Response:
        if self.objects.pop(request.path, None) is None:
            return _status(Fault(404, "NotFound"))
        return web.json_response({"kind": "Status", "status": "Success"})

    def _store(self, path: str, body: dict[str, Any]) -> web.Response:
        self._version += 1
        made = {"uid": f"uid-{path}", "creationTimestamp": "2026-01-15T08:00:00Z"}
        metadata = {**made, **body["metadata"], "resourceVersion": str(self._version)}
        self.objects[path] = {**body, "metadata": metadata}
        return web.json_response(self.objects[path])

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(("WATCH", request.query["resourceVersion"]))
        if not self.watches:
            await asyncio.Event().wait()
        played = self.watches.popleft()
        if isinstance(played, Fault):
            return _status(played)
        response = web.StreamResponse()
        await response.prepare(request)
        for event in played:
            await response.write(json.dumps(event).encode() + b"\n")
        return response


def _in_cluster(path: str) -> str:
    """The path as if its kind had no namespaces: how all of a kind are listed."""
    return re.sub("/namespaces/[^/]+/", "/", path)


def _status(fault: Fault) -> web.Response:
    message = fault.message or f"{fault.reason} on purpose"
    body = {"kind": "Status", "code": fault.status, "reason": fault.reason, "message": message}
    return web.json_response(body, status=fault.status, headers=fault.headers)


@asynccontextmanager
async def fake_api() -> AsyncIterator[tuple[FakeApi, KubeClient]]:
    """The server, and a client of it."""
    api = FakeApi()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", api.handle)
    server = TestServer(application)
    await server.start_server()
    api.url = str(server.make_url("")).rstrip("/")
    async with KubeClient(ApiClient(Configuration(host=api.url))) as client:
        yield api, client
    await server.close()
