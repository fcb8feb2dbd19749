"""The paths about the gateway: its agents, its OpenAPI document and its probes."""

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from slipway_crds import contract
from slipway_runtime.gateway import access, pages
from slipway_runtime.gateway.endpoints.endpoint import Endpoint
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.openapi import paths
from slipway_runtime.gateway.openapi.document import OpenAPIDocument
from slipway_runtime.gateway.permissions import Action
from slipway_runtime.probes import readiness


def endpoints(gateway: Gateway) -> list[Endpoint]:
    """The table."""
    document = OpenAPIDocument()

    async def agents(request: Request) -> Response:
        caller, found = await gateway.listing(request)
        access.write(request, caller, status=200)
        return JSONResponse({"agents": found})

    async def openapi(request: Request) -> Response:
        caller = await gateway.authenticate(request)
        access.write(request, caller, status=200)
        allows = gateway.policy.allows
        plugins = [each for each in gateway.plugins.described() if allows(caller, Action.LIST, each[0])]
        return Response(await document.json(request.app, plugins), media_type="application/json")

    async def ready(_: Request) -> Response:
        return readiness(gateway.missing())

    return [
        Endpoint("GET", "/agents", agents, paths.LIST_AGENTS),
        Endpoint("GET", "/openapi.json", openapi, paths.OPENAPI),
        Endpoint("GET", "/docs", pages.docs, paths.DOCS),
        Endpoint("GET", "/docs/{asset}", pages.asset),
        Endpoint("GET", contract.LIVEZ, _alive, paths.LIVEZ),
        Endpoint("GET", contract.READYZ, ready, paths.READYZ),
    ]


async def _alive(_: Request) -> Response:
    return PlainTextResponse("alive")
