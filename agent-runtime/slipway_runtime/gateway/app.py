"""The gateway as an ASGI application: every path with what does it, and with what the OpenAPI document says of it."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from slipway_crds import contract
from slipway_runtime.applications import NO_SUCH_ROUTE
from slipway_runtime.gateway import access, models, pages
from slipway_runtime.gateway.agent_path import AgentPath
from slipway_runtime.gateway.asgi import SafeHeaders
from slipway_runtime.gateway.completions import Completions
from slipway_runtime.gateway.cors import cors
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.hosted_path import HostedPath
from slipway_runtime.gateway.openapi import openai_paths, paths
from slipway_runtime.gateway.openapi.document import OpenAPIDocument
from slipway_runtime.gateway.openapi.operations import Operation
from slipway_runtime.probes import readiness
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.chat import Chat
from slipway_runtime.protocols.inner import Inner

NO_TELEMETRY = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False, "auto_configure": False}
"""FastAPI's own, which would record a second span for each request, and exceptions with what is in them."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
AGENT = contract.AGENT_PATH
RUN = AGENT + "/runs/{run}"
SESSION = AGENT + "/sessions/{session}"


def create_app(gateway: Gateway) -> FastAPI:
    """The application with all paths of `docs/http-api.md`."""
    app = FastAPI(
        telemetry=NO_TELEMETRY,  # type: ignore[arg-type]
        openapi_url=None,  # served below, to callers with a key
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={**NO_SUCH_ROUTE, Problem: _problem, 500: _unexpected},
        middleware=[
            Middleware(SafeHeaders),
            *([cors(gateway.allowed_origins)] if gateway.allowed_origins else []),
        ],
    )
    document = OpenAPIDocument(app)
    chat = _answered_by(AgentPath(gateway, Chat()))

    async def agents(request: Request) -> Response:
        caller, found = await gateway.listing(request)
        access.write(request, caller, status=200)
        return JSONResponse({"agents": found})

    async def openapi(request: Request) -> Response:
        caller = await gateway.authenticate(request)
        access.write(request, caller, status=200)
        return Response(await document.json(), media_type="application/json")

    async def alive(_: Request) -> Response:
        return PlainTextResponse("alive")

    async def ready(_: Request) -> Response:
        return readiness(gateway.missing())

    for method, path, endpoint, operation in (
        ("POST", AGENT + "/chat", chat, paths.CHAT),
        ("POST", "/agent/chat", chat, paths.DEFAULT_CHAT),
        ("POST", "/smart/chat", chat, paths.SMART_CHAT),
        ("GET", AGENT + "/runs", chat, paths.LIST_RUNS),
        ("GET", RUN, chat, paths.READ_RUN),
        ("DELETE", RUN, chat, paths.CANCEL_RUN),
        ("POST", RUN + "/input/{input}", chat, paths.GIVE_INPUT),
        ("GET", SESSION, chat, paths.READ_SESSION),
        ("DELETE", SESSION, chat, paths.DELETE_SESSION),
        ("POST", "/v1/chat/completions", _answered_by(Completions(gateway)), openai_paths.COMPLETE),
        ("GET", "/v1/models", models.list_models(gateway), openai_paths.LIST_MODELS),
        ("GET", "/v1/models/{model:path}", models.read_model(gateway), openai_paths.READ_MODEL),
        ("GET", "/agents", agents, paths.LIST_AGENTS),
        ("GET", "/openapi.json", openapi, paths.OPENAPI),
        ("GET", "/docs", pages.docs, paths.DOCS),
        ("GET", contract.LIVEZ, alive, paths.LIVEZ),
        ("GET", contract.READYZ, ready, paths.READYZ),
    ):
        _add(app, method, path, endpoint, operation)
    # For agents alone, so the document has nothing of it.
    inner = _answered_by(AgentPath(gateway, Inner(), nested=True))
    app.add_api_route(AGENT + "/runs", inner, methods=["POST"], include_in_schema=False, response_model=None)
    app.add_api_route("/docs/{asset}", pages.asset, include_in_schema=False, response_model=None)
    app.add_api_route(
        "/v1/{rest:path}", models.nothing_else, methods=[*METHODS], include_in_schema=False, response_model=None
    )
    return app


def _add(app: FastAPI, method: str, path: str, endpoint: Callable[..., Any], operation: Operation) -> None:
    """Serve an operation, which becomes a part of the document."""
    app.add_api_route(path, endpoint, methods=[method], **operation.options())
    if operation.head:
        app.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False, response_model=None)


def _answered_by(path: HostedPath) -> Callable[[Request], Any]:
    """An endpoint for FastAPI, which sees the raw request only: bounds come before anything is read."""

    async def endpoint(_: Request) -> Response:
        return path

    return endpoint


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _unexpected(_: Request, __: Exception) -> Response:
    return Problem(Reason.INTERNAL_ERROR, "The gateway made a mistake; its log says where.").response()
