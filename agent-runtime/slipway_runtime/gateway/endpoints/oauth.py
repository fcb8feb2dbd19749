"""The metadata that OAuth clients read before they have a token. There is none where no provider is set."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from slipway_runtime.gateway.endpoints.endpoint import Endpoint
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.protected_resource import MCP_PATH, WELL_KNOWN
from slipway_runtime.problems import Problem, Reason


def endpoints(gateway: Gateway) -> list[Endpoint]:
    """The table."""
    resource = gateway.resource
    if resource is None:
        return []

    async def metadata(request: Request) -> Response:
        path = request.url.path.removeprefix(WELL_KNOWN)
        if path and not MCP_PATH.fullmatch(path):
            raise Problem(Reason.NOT_FOUND, "There is such metadata of the gateway and of its paths that end in /mcp.")
        return JSONResponse(resource.document(request.scope, path))

    return [Endpoint("GET", WELL_KNOWN, metadata), Endpoint("GET", WELL_KNOWN + "/{path:path}", metadata)]
