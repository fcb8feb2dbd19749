"""The paths of A2A. What they take and give is the protocol's, so the OpenAPI document has nothing of it."""

from functools import partial

from slipway_crds import contract
from slipway_runtime.gateway.a2a.card import read_card
from slipway_runtime.gateway.a2a.path import A2APath, Loader, of_agents
from slipway_runtime.gateway.endpoints.endpoint import Endpoint, answered_by
from slipway_runtime.gateway.gateway import Gateway

A2A = contract.AGENT_PATH + "/a2a"
CARD = "/.well-known/agent-card.json"
PUSH = "/tasks/{id}/pushNotificationConfigs"
ROWS = (
    ("POST", "", "json-rpc"),
    ("POST", "/", "json-rpc"),
    ("POST", "/message:send", "send"),
    ("POST", "/message:stream", "stream"),
    ("GET", "/tasks", "list"),
    ("POST", "/tasks/{id}:cancel", "cancel"),
    ("GET", "/tasks/{id}:subscribe", "subscribe"),
    ("POST", "/tasks/{id}:subscribe", "subscribe"),
    ("GET", "/tasks/{id}", "get"),
    ("POST", PUSH, "create push"),
    ("GET", PUSH, "list push"),
    ("GET", PUSH + "/{push_id}", "get push"),
    ("DELETE", PUSH + "/{push_id}", "delete push"),
    ("GET", "/extendedAgentCard", "extended card"),
)
"""Method, path under the agent's, and what is asked."""


def endpoints(gateway: Gateway) -> list[Endpoint]:
    """The table."""
    loader, card = Loader(partial(of_agents, gateway)), read_card(gateway)
    return [
        Endpoint("GET", CARD, card),
        Endpoint("GET", A2A + CARD, card),
        *(Endpoint(method, A2A + path, answered_by(A2APath(gateway, loader, what))) for method, path, what in ROWS),
    ]
