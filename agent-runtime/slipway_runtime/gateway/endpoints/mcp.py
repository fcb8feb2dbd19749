"""The paths of MCP: one for each agent, and the one with all that a caller may use."""

from starlette.requests import Request

from slipway_crds import contract
from slipway_runtime.gateway.endpoints.endpoint import Endpoint, answered_by
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.mcp.agents import AgentSources
from slipway_runtime.gateway.mcp.path import McpPath
from slipway_runtime.gateway.mcp.servers import FederatedServer, Server, SingleServer
from slipway_runtime.gateway.mcp.sources import AllSources
from slipway_runtime.gateway.mcp.workflows import WorkflowSources
from slipway_runtime.gateway.permissions import no_such_agent
from slipway_runtime.gateway.plugins.federated import PluginSources
from slipway_runtime.gateway.routes import AgentKey
from slipway_runtime.identity import Caller
from slipway_runtime.protocols.mcp.results import info

FEDERATED = "All agents and tools that you may use. The part of a name before __ says whose tool it is."


METHODS = ("GET", "POST", "DELETE")


def endpoints(gateway: Gateway) -> list[Endpoint]:
    """The table."""
    sources = AllSources([AgentSources(gateway), PluginSources(gateway), WorkflowSources(gateway)])
    return [
        Endpoint(METHODS, contract.AGENT_PATH + "/mcp", answered_by(_agent_server(gateway))),
        Endpoint(METHODS, "/mcp", answered_by(_federated_server(gateway, sources))),
    ]


def _agent_server(gateway: Gateway) -> McpPath:
    agents = AgentSources(gateway)

    def find(request: Request, caller: Caller) -> Server:
        agent = AgentKey(request.path_params["namespace"], request.path_params["name"])
        source = agents.agent(agent, caller)
        if source is None:
            raise no_such_agent()
        description = gateway.routes.description(agent).description
        return SingleServer(source, f"agents/{agent}", info(agent.name, str(agent)), description)

    return McpPath(gateway, find)


def _federated_server(gateway: Gateway, sources: AllSources) -> McpPath:
    server = FederatedServer(sources, "mcp", info("slipway", "Slipway"), FEDERATED)
    return McpPath(gateway, lambda *_: server)
