"""What all connectors have at their door: only gateways get in, and probes."""

import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from slipway_crds import contract
from slipway_runtime.applications import Handlers
from slipway_runtime.gateway.asgi import ClientGone
from slipway_runtime.identity import HEADER, InvalidIdentity, Verifier
from slipway_runtime.plugins.audience import audience
from slipway_runtime.plugins.messages import JSON
from slipway_runtime.plugins.server import FAILURE_HEADER, REFUSED
from slipway_runtime.probes import readiness
from slipway_runtime.problems import Problem, Reason


def authenticate(request: Request, verifier: Verifier, key: str) -> None:
    """Raises Problem: `Unauthenticated`, for all but the gateway.

    Args:
        key: `namespace/name` of the plugin.
    """
    try:
        verifier.verify(request.headers.get(HEADER, ""), audience(key))
    except InvalidIdentity as error:
        raise Problem(Reason.UNAUTHENTICATED, f"{error}: a connector answers gateways only") from None


def failure(reason: str, message: str, status: int, *, refused: bool = False) -> Response:
    """What the gateway gets where there is no answer.

    Args:
        refused: whether that is because the plugin is not to run.
    """
    headers = {FAILURE_HEADER: REFUSED if refused else "true"}
    return Response(orjson.dumps({"reason": reason, "error": message}), status, headers, JSON)


async def _alive(_: Request) -> Response:
    return PlainTextResponse("alive")


async def _ready(_: Request) -> Response:
    return readiness([])


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=499)


PROBES = (Route(contract.LIVEZ, _alive), Route(contract.READYZ, _ready))
HANDLERS: Handlers = {Problem: _problem, ClientGone: _gone}
