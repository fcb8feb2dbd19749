"""The paths of agent cards."""

from starlette.requests import Request
from starlette.responses import Response

from slipway_runtime.gateway import access
from slipway_runtime.gateway.a2a.path import permitted
from slipway_runtime.gateway.endpoints.endpoint import Handler
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.permissions import Action, no_such_agent, require
from slipway_runtime.gateway.routes import AgentKey
from slipway_runtime.protocols.a2a import cards


def read_card(gateway: Gateway) -> Handler:
    """The card of the agent that the path names, or of the default agent."""

    async def endpoint(request: Request) -> Response:
        caller = await gateway.authenticate(request)
        gateway.require_agents()
        if "name" in request.path_params:
            agent = permitted(gateway, request, caller)
        elif gateway.default_agent is None:
            raise no_such_agent()
        else:
            agent = gateway.default_agent
            require(gateway.policy, caller, Action.LIST, agent)
        body = cards.dump(cards.card(describe(gateway, agent, request)))
        headers = {**cards.HEADERS, "etag": cards.etag(body)}
        known = cards.unchanged(headers["etag"], request.headers.get("if-none-match", ""))
        access.write(request, caller, status=304 if known else 200)
        return Response(status_code=304, headers=headers) if known else Response(body, headers=headers)

    return endpoint


def describe(gateway: Gateway, agent: AgentKey, request: Request) -> cards.Described:
    """What the card says. Its URLs are the chart's, or else begin as the client's own."""
    known = gateway.routes.description(agent)
    base = gateway.public_url or str(request.base_url)
    return cards.Described(
        name=str(agent),
        url=f"{base.rstrip('/')}/agents/{agent}/a2a",
        description=known.description,
        revision=known.revision or "",
        knowledge=known.knowledge,
        tools=known.tools,
        keys=gateway.asks_for_keys,
    )
