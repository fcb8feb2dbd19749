"""The paths of chat, runs and sessions."""

from slipway_crds import contract
from slipway_runtime.gateway.agent_path import AgentPath
from slipway_runtime.gateway.endpoints.endpoint import Endpoint, answered_by
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.openapi import paths
from slipway_runtime.protocols.chat import Chat
from slipway_runtime.protocols.inner import Inner

AGENT = contract.AGENT_PATH
RUN = AGENT + "/runs/{run}"
SESSION = AGENT + "/sessions/{session}"


def endpoints(gateway: Gateway) -> list[Endpoint]:
    """The table."""
    chat = answered_by(AgentPath(gateway, Chat()))
    inner = answered_by(AgentPath(gateway, Inner(), nested=True))
    return [
        Endpoint("POST", AGENT + "/chat", chat, paths.CHAT),
        Endpoint("POST", "/agent/chat", chat, paths.DEFAULT_CHAT),
        Endpoint("POST", "/smart/chat", chat, paths.SMART_CHAT),
        Endpoint("GET", AGENT + "/runs", chat, paths.LIST_RUNS),
        Endpoint("GET", RUN, chat, paths.READ_RUN),
        Endpoint("DELETE", RUN, chat, paths.CANCEL_RUN),
        Endpoint("POST", RUN + "/input/{input}", chat, paths.GIVE_INPUT),
        Endpoint("GET", SESSION, chat, paths.READ_SESSION),
        Endpoint("DELETE", SESSION, chat, paths.DELETE_SESSION),
        # For agents alone, so the document has nothing of it.
        Endpoint("POST", AGENT + "/runs", inner),
    ]
