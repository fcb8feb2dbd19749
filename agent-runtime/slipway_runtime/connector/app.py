"""A connector as an application: bytes in, headers added, bytes out, for the gateway alone."""

from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from slipway_crds import contract
from slipway_runtime.applications import new_application
from slipway_runtime.connector.door import HANDLERS, PROBES, authenticate, failure
from slipway_runtime.gateway.asgi import read_body
from slipway_runtime.identity import Verifier
from slipway_runtime.plugins.messages import EVENT_STREAM, LAST_EVENT_HEADER, PARAM_PREFIX, SESSION_HEADER
from slipway_runtime.plugins.server import ServerFailed, media_type
from slipway_runtime.plugins.watched import WatchedServer
from slipway_runtime.protocols.headers import GRANT_HEADER, IDEMPOTENCY_HEADER
from slipway_runtime.responses import PodResponse

PASSED = frozenset(
    {"accept", "content-type", "mcp-protocol-version", "mcp-method", "mcp-name", "traceparent", "tracestate"}
    | {SESSION_HEADER, LAST_EVENT_HEADER, GRANT_HEADER.lower(), IDEMPOTENCY_HEADER.lower()}
)
"""Headers of the gateway that a server gets, and those that mirror arguments."""
MESSAGE_BYTES = 5 * 1024 * 1024
"""A little more than the gateway takes: another name may be longer."""


def create_connector_app(server: WatchedServer, verifier: Verifier) -> Starlette:
    """The application for one server."""

    async def mcp(request: Request) -> Response:
        authenticate(request, verifier, server.upstream.key)
        body = await read_body(request.receive, limit=MESSAGE_BYTES) if request.method == "POST" else None
        return await _passed_on(server, request, body)

    async def status(_: Request) -> Response:
        report = server.report
        return JSONResponse(report.to_json() if report is not None else {})

    return new_application(
        [
            Route(contract.CONNECTOR_MCP_PATH, mcp, methods=["POST", "GET", "DELETE"]),
            Route(contract.CONNECTOR_STATUS_PATH, status),
            *PROBES,
        ],
        handlers=HANDLERS,
    )


async def _passed_on(server: WatchedServer, request: Request, body: bytes | None) -> Response:
    headers = {
        name: value for name, value in request.headers.items() if name in PASSED or name.startswith(PARAM_PREFIX)
    }
    endless = request.method == "GET" or headers.get("mcp-method") == "subscriptions/listen"
    opened = server.server.open(request.method, headers, body, endless=endless)
    try:
        response = await opened.__aenter__()
    except ServerFailed as error:
        return failure(error.reason, error.told, error.status)
    kind = media_type(response)
    given = {"content-type": kind} if kind else {}
    if session := response.headers.get("Mcp-Session-Id"):
        given[SESSION_HEADER] = session
    if kind == EVENT_STREAM:
        given["x-accel-buffering"] = "no"

    async def pieces() -> AsyncIterator[bytes]:
        try:
            while piece := await response.some():
                yield piece
        finally:
            await opened.__aexit__(None, None, None)

    return _Streamed(pieces(), response, given)


class _Streamed(StreamingResponse):
    """A body as it comes. One that breaks off closes the connection, as the server's own would."""

    def __init__(self, pieces: AsyncIterator[bytes], response: PodResponse, headers: dict[str, str]) -> None:
        super().__init__(pieces, response.status, headers)
        self.headers.setdefault("cache-control", "no-store")
