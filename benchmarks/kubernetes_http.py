"""A bare client of the API server: aiohttp, JSON, a client certificate. What it costs is what the floor costs."""

import base64
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import yaml

from benchmarks.figures import BenchmarkFailed

Object = dict[str, Any]
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


class KubernetesHttp:
    """Requests by path. An answer that is no success ends the benchmark."""

    def __init__(self, session: aiohttp.ClientSession, *, manager: str) -> None:
        self._session = session
        self._manager = manager

    async def get(self, path: str, **query: str) -> Object:
        """An object or a list."""
        return await self._request("GET", path, query=query)

    async def text(self, path: str) -> str:
        """What is behind a path, as text."""
        async with self._session.get(path) as response:
            return await response.text()

    async def apply(self, path: str, manifest: Mapping[str, Any]) -> Object:
        """Server-side apply."""
        query = {"fieldManager": self._manager, "force": "true"}
        return await self._request("PATCH", path, query=query, body=manifest, content=APPLY)

    async def merge(self, path: str, body: Mapping[str, Any]) -> Object:
        """JSON merge patch."""
        return await self._request("PATCH", path, query={"fieldManager": self._manager}, body=body, content=MERGE)

    async def delete(self, path: str) -> None:
        """Delete an object, or all of a collection; what belongs to it goes in the background."""
        await self._request("DELETE", path, query={"propagationPolicy": "Background"})

    async def watch(self, path: str, *, since: str, **query: str) -> AsyncIterator[tuple[str, Object]]:
        """Changes as they come: `ADDED`, `MODIFIED` or `DELETED`, and the object."""
        parameters = {**query, "watch": "1", "resourceVersion": since}
        async with self._session.get(path, params=parameters) as response:
            await _check(response)
            while line := await response.content.readline():
                event = orjson.loads(line)
                if event["type"] == "ERROR":
                    raise BenchmarkFailed(f"the watch of {path} broke: {event['object']}")
                yield event["type"], event["object"]

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None = None,
        content: str = "application/json",
    ) -> Object:
        data = None if body is None else orjson.dumps(body)
        headers = {"Content-Type": content}
        async with self._session.request(method, path, params=query, data=data, headers=headers) as response:
            await _check(response)
            answer: Object = orjson.loads(await response.read())
            return answer


async def _check(response: aiohttp.ClientResponse) -> None:
    if response.status >= 300:
        raise BenchmarkFailed(f"{response.method} {response.url.path}: {response.status} {await response.text()}")


@asynccontextmanager
async def connected(kubeconfig: Path, *, manager: str) -> AsyncIterator[KubernetesHttp]:
    """A client with the credentials of a kubeconfig, writing as the given field manager."""
    server, context = _credentials(kubeconfig)
    connector = aiohttp.TCPConnector(ssl=context, limit=0)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
    async with aiohttp.ClientSession(server, connector=connector, timeout=timeout, read_bufsize=2**22) as session:
        yield KubernetesHttp(session, manager=manager)


def _credentials(kubeconfig: Path) -> tuple[str, ssl.SSLContext]:
    """The server's URL, and what it takes to talk to it."""
    config = yaml.safe_load(kubeconfig.read_text())
    server, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    context = ssl.create_default_context(cadata=_decoded(server["certificate-authority-data"]))
    with tempfile.TemporaryDirectory() as folder:  # ssl takes certificates of its own from files only
        pair = Path(folder, "client.pem")
        pair.write_text(_decoded(user["client-certificate-data"]) + _decoded(user["client-key-data"]))
        context.load_cert_chain(pair)
    return str(server["server"]), context


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode()
