"""The calls that the gateway makes to the API server: list a collection, watch it from there, and have tokens reviewed.

Objects come as plain dictionaries: two kinds of which a few fields count are not worth building models for. The client
package is imported only when there is a cluster to talk to.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Self

import aiohttp
import orjson

PAGE = 500
REQUEST_SECONDS = 30.0
WATCH_SECONDS = 300
"""How long the server lets one watch last."""
SILENCE_SECONDS = 90.0
"""The server sends a bookmark about once a minute; a watch that is silent for longer is taken for dead."""

JSON = {"Content-Type": "application/json", "Accept": "application/json"}

Object = dict[str, Any]

ApiErrors = (aiohttp.ClientError, TimeoutError, ConnectionError)
"""What the way to the API server can fail with."""


class ApiRefused(Exception):
    """The API server answered, but not with what was asked for."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"the API server answered {status}: {message}")
        self.status = status


class Expired(Exception):
    """The version to watch from is too old (410); the collection has to be listed again."""


class KubernetesApi:
    """A connection to the API server, with the pod's own account or, on a workstation, a kubeconfig."""

    def __init__(self, client: Any) -> None:
        self._client = client

    @classmethod
    async def connect(cls) -> Self:
        """Use the pod's service account; where there is none, the kubeconfig that kubectl would use."""
        from kubernetes.aio import client, config

        configuration = client.Configuration()
        try:
            config.load_incluster_config(client_configuration=configuration)
        except config.ConfigException:
            await config.load_kube_config(client_configuration=configuration)
        return cls(client.ApiClient(configuration))

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def list(self, path: str, **query: str) -> tuple[list[Object], str]:
        """All objects of a collection, in pages, and the version to watch from.

        Raises:
            ApiRefused, Expired, or one of ApiErrors.
        """
        items: list[Object] = []
        following = ""
        while True:
            page_query = {**query, "limit": str(PAGE), **({"continue": following} if following else {})}
            async with asyncio.timeout(REQUEST_SECONDS):
                response = await self._get(path, page_query)
                page = _parse(await response.read())
            items += page["items"]
            following = page["metadata"].get("continue", "")
            if not following:
                return items, page["metadata"]["resourceVersion"]

    async def watch(self, path: str, version: str, **query: str) -> AsyncIterator[Object]:
        """Changes after a version, as watch events, until the server ends the watch.

        Raises:
            ApiRefused, Expired, or one of ApiErrors (a TimeoutError among them when nothing is heard for too long).
        """
        watch_query = {
            **query,
            "watch": "1",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        response = await self._get(path, watch_query)
        try:
            while True:
                async with asyncio.timeout(SILENCE_SECONDS):
                    line = await response.content.readline()
                if not line:
                    return
                event = _parse(line)
                if event["type"] == "ERROR":
                    _check(event["object"].get("code", 500), event["object"].get("message", ""))
                yield event
        finally:
            response.close()

    async def create(self, path: str, body: Object) -> Object:
        """Create an object; gives what the server made of it.

        Raises:
            ApiRefused, or one of ApiErrors.
        """
        async with asyncio.timeout(REQUEST_SECONDS):
            serialized = await self._client.param_serialize(
                "POST", path, header_params=JSON, body=body, auth_settings=["BearerToken"]
            )
            answer = await self._client.call_api(*serialized, _request_timeout=REQUEST_SECONDS)
            response: aiohttp.ClientResponse = answer.response
            data = await response.read()
        if response.status != 201:
            raise ApiRefused(response.status, data.decode(errors="replace")[:500])
        return _parse(data)

    async def _get(self, path: str, query: dict[str, str]) -> aiohttp.ClientResponse:
        serialized = await self._client.param_serialize(
            "GET", path, query_params=list(query.items()), auth_settings=["BearerToken"]
        )
        # No total limit here: a watch is open for minutes, and what may not last is bounded by the callers.
        answer = await self._client.call_api(*serialized, _request_timeout=WATCH_SECONDS * 2)
        response: aiohttp.ClientResponse = answer.response
        if response.status != 200:
            _check(response.status, (await response.text())[:500])
        return response


def _parse(data: bytes) -> Object:
    """JSON that came over the wire; what is cut off counts as a broken connection.

    Raises:
        ConnectionError: if it is no JSON.
    """
    try:
        parsed: Object = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ConnectionError(f"the API server's answer is cut off or not JSON: {error}") from error
    return parsed


def _check(status: int, message: str) -> None:
    if status == 410:
        raise Expired
    if status != 200:
        raise ApiRefused(status, message)
