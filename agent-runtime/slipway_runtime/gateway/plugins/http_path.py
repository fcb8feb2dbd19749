"""End points of HTTP that a plugin has: passed on to its own pod, for callers who may use the plugin."""

import re
from collections.abc import AsyncIterator, Mapping
from urllib.parse import quote, urlencode

from starlette.requests import Request

from slipway_crds.contract import CONNECTOR_HTTP_PATH
from slipway_runtime.gateway import metrics
from slipway_runtime.gateway.asgi import Receive, unless_gone
from slipway_runtime.gateway.hosted_path import counted
from slipway_runtime.gateway.plugins.answer import PluginAnswer
from slipway_runtime.gateway.plugins.path import MESSAGE_BYTES, PluginPath, send
from slipway_runtime.gateway.relay import Reply
from slipway_runtime.grants import Grant
from slipway_runtime.identity import Caller
from slipway_runtime.plugins.server import ServerFailed, media_type
from slipway_runtime.plugins.watched import WatchedServer
from slipway_runtime.problems import SAFE_HEADERS, Problem, Reason
from slipway_runtime.protocols.headers import CALLER_GROUPS_HEADER, CALLER_HEADER
from slipway_runtime.responses import PodResponse
from slipway_runtime.telemetry.tracing import outgoing

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
QUERY_CHARACTERS = 4000
REST = re.compile(r"(?!\.{1,2}(?:/|$))[\w.~@:+-]{1,200}(/(?!\.{1,2}(?:/|$))[\w.~@:+-]{1,200}){0,9}/?", re.ASCII)
SANDBOX = "sandbox allow-scripts allow-popups"
"""For pages: a plugin's script has no part in what other pages of the gateway may do."""
REQUEST_HEADERS = ("accept", "accept-language", "content-type", "if-none-match")
ANSWER_HEADERS = ("Content-Type", "ETag", "Location", "Retry-After", "Content-Disposition")


class PluginHttpPath(PluginPath):
    """The answer to a request for an end point of a plugin, written while it comes from the plugin's pod."""

    async def _answered(
        self, request: Request, receive: Receive, reply: Reply, *, caller: Caller, grant: Grant | None
    ) -> None:
        key, plugin = await self._plugin_of(request, caller=caller, grant=grant)
        endpoint = _endpoint(request, plugin)
        labels, about = (key.namespace, key.name), {"plugin": str(key)}
        counting = counted(reply, metrics.PLUGIN_SECONDS, metrics.PLUGIN_REQUESTS, labels=labels, about=about)
        with counting, self._gateway.long_bodies.held() as held:
            body = await self._body(request, receive, caller=caller, limit=MESSAGE_BYTES, held=held)
            with self._admitted(depth=grant.depth if grant else 0):
                await unless_gone(_relay(request, plugin, endpoint, body, reply, caller), receive)


async def _relay(
    request: Request, plugin: WatchedServer, endpoint: str, body: bytes, reply: Reply, caller: Caller
) -> None:
    try:
        async with plugin.server.open(
            request.method, _sent(request, caller), body or None, endpoint=endpoint
        ) as response:
            await send(PluginAnswer(response.status, _given(response), _pieces(response)), reply)
    except ServerFailed as error:
        raise Problem(Reason.PLUGIN_FAILED, f"{error.reason}: {error.told}.") from None


def _endpoint(request: Request, plugin: WatchedServer) -> str:
    """Path and query at the plugin's pod, put together anew so that nothing of a client's spelling gets through.

    Raises:
        Problem: if there can be no such end point.
    """
    rest = request.path_params["rest"]
    if not plugin.upstream.connector or not REST.fullmatch(rest):
        raise Problem(Reason.NOT_FOUND, "the plugin has no such end point: its openapi.json lists those that it has")
    query = urlencode(request.query_params.multi_items())
    if len(query) > QUERY_CHARACTERS:
        raise Problem(Reason.INVALID_REQUEST, f"the query may have {QUERY_CHARACTERS} characters: shorten it")
    return f"{CONNECTOR_HTTP_PATH}/{rest}" + (f"?{query}" if query else "")


def _sent(request: Request, caller: Caller) -> Mapping[str, str]:
    """What the plugin gets to see of a request: never the caller's key, but who it is."""
    headers = {name: value for name in REQUEST_HEADERS if (value := request.headers.get(name)) is not None}
    headers[CALLER_HEADER] = quote(caller.owner, safe="|/@:")
    headers[CALLER_GROUPS_HEADER] = ",".join(quote(group, safe="/@:") for group in caller.groups)
    outgoing(headers)
    return headers


def _given(response: PodResponse) -> Mapping[str, str]:
    headers = {name.lower(): value for name in ANSWER_HEADERS if (value := response.headers.get(name)) is not None}
    page = {"content-security-policy": SANDBOX} if media_type(response) in ("text/html", "image/svg+xml", "") else {}
    return {**headers, **SAFE_HEADERS, **page}


async def _pieces(response: PodResponse) -> AsyncIterator[bytes]:
    while piece := await response.some():
        yield piece
