"""The gateway as an ASGI application: the paths of every protocol."""

from collections.abc import Callable

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from slipway_runtime.applications import NO_SUCH_ROUTE
from slipway_runtime.gateway.asgi import SafeHeaders
from slipway_runtime.gateway.cors import cors
from slipway_runtime.gateway.endpoints import (
    a2a,
    about,
    ag_ui,
    chat,
    mcp,
    oauth,
    openai,
    plugins,
    uploads,
    workflow_tasks,
    workflows,
)
from slipway_runtime.gateway.endpoints.endpoint import Endpoint
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.protected_resource import Challenge
from slipway_runtime.problems import Problem, Reason

NO_TELEMETRY = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False, "auto_configure": False}
"""FastAPI's own, which would record a second span for each request, and exceptions with what is in them."""
PROTOCOLS: tuple[Callable[[Gateway], list[Endpoint]], ...] = (
    plugins.endpoints,  # first, since its calls are the shortest: each row before it costs time
    chat.endpoints,
    openai.endpoints,
    ag_ui.endpoints,
    mcp.endpoints,
    a2a.endpoints,
    workflow_tasks.endpoints,
    workflows.endpoints,
    uploads.endpoints,
    about.endpoints,
    oauth.endpoints,
)
"""The tables of paths, in the order of the OpenAPI document. Of two rows for a path, the first one answers."""


def create_app(gateway: Gateway) -> FastAPI:
    """The application with all paths of `docs/http-api.md`."""
    app = FastAPI(
        telemetry=NO_TELEMETRY,  # type: ignore[arg-type]
        openapi_url=None,  # served to callers with a key
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={**NO_SUCH_ROUTE, Problem: _problem, 500: _unexpected},
        middleware=[
            Middleware(SafeHeaders),
            *([cors(gateway.allowed_origins)] if gateway.allowed_origins else []),
            *([Middleware(Challenge, resource=gateway.resource)] if gateway.resource else []),
        ],
    )
    for endpoints in PROTOCOLS:
        for endpoint in endpoints(gateway):
            endpoint.add_to(app)
    return app


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _unexpected(_: Request, __: Exception) -> Response:
    return Problem(Reason.INTERNAL_ERROR, "The gateway made a mistake; its log says where.").response()
