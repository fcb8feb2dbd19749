"""`GET /v1/models`: the agents that a caller may ask, as models. And what else there is not under `/v1`."""

from collections.abc import Awaitable, Callable
from functools import wraps

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from slipway_runtime.gateway import access
from slipway_runtime.gateway.completions import AUTO, agent_of
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.permissions import Action
from slipway_runtime.gateway.routes import AgentKey
from slipway_runtime.identity import Caller
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols import openai_errors

Endpoint = Callable[[Request], Awaitable[Response]]


def _worded(endpoint: Endpoint) -> Endpoint:
    """The endpoint, with problems in the words of OpenAI's API."""

    @wraps(endpoint)
    async def worded(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Problem as problem:
            answer = openai_errors.answer(problem)
            return Response(answer.body, answer.status, answer.headers)

    return worded


def list_models(gateway: Gateway) -> Endpoint:
    """All of them."""

    async def endpoint(request: Request) -> Response:
        caller = await gateway.authenticate(request)
        gateway.require_agents()
        access.write(request, caller, status=200)
        return JSONResponse({"object": "list", "data": _models(gateway, caller)})

    return _worded(endpoint)


def read_model(gateway: Gateway) -> Endpoint:
    """One of them."""

    async def endpoint(request: Request) -> Response:
        caller = await gateway.authenticate(request)
        gateway.require_agents()
        model = request.path_params["model"]
        agent = agent_of(gateway, model, caller)
        access.write(request, caller, status=200)
        return JSONResponse(_model(model, agent))

    return _worded(endpoint)


def nothing_else(request: Request) -> Response:
    """What there is instead of a path that there is not."""
    problem = Problem(
        Reason.NOT_FOUND,
        f"There is nothing at {request.method} {request.url.path[:200]}. Use POST /v1/chat/completions, which takes "
        "the conversation as `messages`, and GET /v1/models.",
    )
    answer = openai_errors.answer(problem)
    return Response(answer.body, answer.status, answer.headers)


def _models(gateway: Gateway, caller: Caller) -> list[dict[str, object]]:
    allowed = [agent for agent in gateway.routes.agents() if gateway.policy.allows(caller, Action.ASK, agent)]
    auto = [_model(AUTO, gateway.smart_agent)] if gateway.smart_agent in allowed and gateway.smart_agent else []
    return auto + [_model(str(agent), agent) for agent in allowed]


def _model(name: str, agent: AgentKey) -> dict[str, object]:
    # The protocol wants a time, and nobody knows since when an agent is what it is.
    return {"id": name, "object": "model", "created": 0, "owned_by": agent.namespace}
