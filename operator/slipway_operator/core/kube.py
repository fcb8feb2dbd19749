"""The few things that the operator asks of the API server, over the official client's asyncio package.

Thin on purpose: no generated models, no discovery, plain dicts in and out, so that another client can take its place.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
import orjson
from kubernetes.aio import client as kubernetes_client
from kubernetes.aio import config as kubernetes_config

from slipway_operator.core import metrics
from slipway_operator.core.drift import FIELD_MANAGER
from slipway_operator.core.manifests import JsonObject, Manifest
from slipway_operator.core.objects import EVENT, ObjectKind, object_kind
from slipway_operator.core.reading import TooLargeError, read_at_most

REQUEST_TIMEOUT_SECONDS = 30.0
PAGE = 500
EVENTS_BYTES = 8 * 1024 * 1024
"""Anybody in a namespace may write Events about anything there, as large as etcd takes them."""
_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_METADATA_WATCH = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"

RawObject = dict[str, Any]
"""An object as the API server sends it."""


class ApiError(Exception):
    """The API server refused or could not be reached (status 0). `retry_after` in seconds."""

    def __init__(self, status: int, reason: str, message: str, *, retry_after: float = 0.0) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after


async def connect() -> "KubeClient":
    """A client for the cluster that the pod runs in, or for `KUBECONFIG`.

    Raises:
        kubernetes.aio.config.ConfigException: if there is neither.
    """
    configuration = kubernetes_client.Configuration()
    if os.environ.get("KUBERNETES_SERVICE_HOST") and not os.environ.get("KUBECONFIG"):
        kubernetes_config.load_incluster_config(client_configuration=configuration)
    else:
        await kubernetes_config.load_kube_config(client_configuration=configuration)
    client = kubernetes_client.ApiClient(configuration)
    client.user_agent = FIELD_MANAGER
    return KubeClient(client)


class KubeClient:
    """Writes as one field manager, and counts what it does."""

    def __init__(self, api: kubernetes_client.ApiClient) -> None:
        self._api = api

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._api.close()

    async def apply(self, manifest: Manifest, *, force: bool) -> RawObject:
        """Server-side apply. Without `force` it fails with 409 where somebody else owns a field."""
        metadata = manifest["metadata"]
        path = object_kind(manifest["kind"]).path(metadata["namespace"], metadata["name"])
        query = {"fieldManager": FIELD_MANAGER, "force": "true" if force else "false"}
        return await self._request("PATCH", path, verb="apply", query=query, body=manifest, content_type=_APPLY)

    async def create(self, manifest: Manifest) -> RawObject | None:
        """None if there is one of that name already."""
        try:
            return await self.post(object_kind(manifest["kind"]), manifest["metadata"]["namespace"], manifest)
        except ApiError as error:
            if error.reason == "AlreadyExists":
                return None
            raise

    async def post(self, kind: ObjectKind, namespace: str, body: Mapping[str, Any]) -> RawObject:
        """Create."""
        query = {"fieldManager": FIELD_MANAGER}
        return await self._request("POST", kind.path(namespace), verb="create", query=query, body=body)

    async def merge(
        self,
        kind: ObjectKind,
        namespace: str,
        name: str,
        body: Mapping[str, Any],
        *,
        subresource: str | None = None,
        manager: str = FIELD_MANAGER,
    ) -> RawObject:
        """JSON merge patch, as the given field manager."""
        path = kind.path(namespace, name, subresource)
        query = {"fieldManager": manager}
        return await self._request("PATCH", path, verb="patch", query=query, body=body, content_type=_MERGE)

    async def replace(self, kind: ObjectKind, namespace: str, name: str, body: Mapping[str, Any]) -> RawObject:
        """PUT; fails with 409 if the object has changed since."""
        query = {"fieldManager": FIELD_MANAGER}
        return await self._request("PUT", kind.path(namespace, name), verb="update", query=query, body=body)

    async def delete(
        self, kind: ObjectKind, namespace: str, name: str, *, uid: str, propagation: str = "Background"
    ) -> RawObject | None:
        """Delete this very object; nothing happens if it is gone or another of the name has taken its place.

        Returns the object if it is still there and waits for something, such as its dependents.
        """
        options: JsonObject = {"preconditions": {"uid": uid}, "propagationPolicy": propagation}
        try:
            answer = await self._request("DELETE", kind.path(namespace, name), verb="delete", body=options)
        except ApiError as error:
            if error.status not in (404, 409):
                raise
            return None
        return answer if "deletionTimestamp" in answer.get("metadata", {}) else None

    async def get(self, kind: ObjectKind, namespace: str | None, name: str) -> RawObject | None:
        """None if there is none."""
        try:
            return await self._request("GET", kind.path(namespace, name), verb="get")
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def pages(
        self, kind: ObjectKind, namespace: str | None, *, labels: str = "", metadata_only: bool = False
    ) -> AsyncIterator[tuple[list[RawObject], str]]:
        """All objects, a page at a time, with the version of the listing."""
        query = {"limit": str(PAGE), "labelSelector": labels}
        while True:
            accept = _METADATA_LIST if metadata_only else "application/json"
            page = await self._request("GET", kind.path(namespace), verb="list", query=query, accept=accept)
            yield page.get("items") or [], page["metadata"]["resourceVersion"]
            following = page["metadata"].get("continue")
            if not following:
                return
            query["continue"] = following

    async def events_about(self, namespace: str, uid: str) -> list[RawObject]:
        """Events about one object, oldest first as far as their names show; a page of them at most.

        Raises:
            ApiError: also if they are larger than anybody would need, with status 0.
        """
        query = {"limit": str(PAGE), "fieldSelector": f"involvedObject.uid={uid}"}
        page = await self._request("GET", EVENT.path(namespace), verb="list", query=query, at_most=EVENTS_BYTES)
        return page.get("items") or []

    async def watch_metadata(
        self, kind: ObjectKind, namespace: str | None, *, since: str, idle_timeout: float
    ) -> AsyncIterator[RawObject]:
        """Events with nothing but metadata, bookmarks included, until the server ends the stream.

        Raises:
            ApiError: 410 if `since` is too old; status 0 if nothing came for `idle_timeout` seconds.
        """
        query = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": since}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=idle_timeout)
        response = await self._send("GET", kind.path(namespace), query=query, accept=_METADATA_WATCH, timeout=timeout)
        try:
            if response.status >= 400:
                raise _error(response.status, await response.read(), response.headers)
            buffer = b""
            async for chunk in response.content.iter_any():
                *lines, buffer = (buffer + chunk).split(b"\n")
                for line in lines:
                    event: RawObject = orjson.loads(line)
                    if event["type"] == "ERROR":
                        raise ApiError(int(event["object"].get("code", 0)), "WatchError", str(event["object"]))
                    yield event
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ApiError(0, "WatchBroken", repr(error)) from error
        finally:
            response.close()

    async def _request(
        self,
        method: str,
        path: str,
        *,
        verb: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        at_most: int | None = None,
    ) -> RawObject:
        code = "none"
        try:
            response = await self._send(
                method,
                path,
                query=query,
                body=body,
                content_type=content_type,
                accept=accept,
                timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_SECONDS),
            )
            code = str(response.status)
            content = await (response.read() if at_most is None else read_at_most(response, at_most))
        except TooLargeError as error:
            raise ApiError(0, "TooLarge", f"{method} {path}: {error}") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(0, "Unreachable", f"{method} {path}: {error!r}") from error
        finally:
            metrics.API_REQUESTS.labels(verb, code).inc()
        if response.status >= 400:
            raise _error(response.status, content, response.headers)
        answer: RawObject = orjson.loads(content)
        return answer

    async def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        timeout: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        headers = {**self._api.default_headers, "Accept": accept, "Content-Type": content_type}
        await self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        parameters = {key: value for key, value in (query or {}).items() if value}
        url = f"{self._api.configuration.host}{path}" + (f"?{urlencode(parameters)}" if parameters else "")
        answer = await self._api.rest_client.request(method, url, headers=headers, body=body, _request_timeout=timeout)
        response: aiohttp.ClientResponse = answer.response
        return response


def _error(status: int, content: bytes, headers: Mapping[str, str]) -> ApiError:
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        answer = {}
    details = answer.get("details") or {}
    retry_after = headers.get("Retry-After") or details.get("retryAfterSeconds") or 0
    message = answer.get("message") or content[:500].decode(errors="replace")
    return ApiError(status, answer.get("reason") or "Unknown", message, retry_after=float(retry_after))


async def gather_all(*awaitables: Any) -> list[Any]:
    """Run them at once, let all of them end, then raise the first error if there was one.

    Plain `gather` leaves the others running when one fails: their writes would overlap with the next attempt's.
    """
    results = await asyncio.gather(*awaitables, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return list(results)
