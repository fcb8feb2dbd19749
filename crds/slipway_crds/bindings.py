"""From an Agent to the second document of its host, `Bindings`, and to what its paths lead to."""

from collections.abc import Mapping

from slipway_crds import contract
from slipway_crds.agents.model import Agent
from slipway_crds.agents.providers import ModelPrice, ModelSpec
from slipway_crds.runtimeconfig import AgentBindings, Architecture, Bindings, ModelBinding, Price

CAPABILITIES: Mapping[Architecture, tuple[str, ...]] = {
    "langgraph": ("complex_workflow", "state_management"),
    "pydantic-ai": ("structured_output", "type_validation"),
    "hybrid": ("workflow_with_validation", "migration_support"),
    "orchestrator": ("task_analysis", "agent_selection"),
}
"""Of an agent that gives none."""


def bindings_of(agent: Agent, *, folder: str = contract.MODEL_KEYS_DIR) -> AgentBindings:
    """What a host needs for an agent besides its configuration.

    Args:
        agent: a valid Agent with CRD defaults filled in.
        folder: where keys and certificates are: `<folder>/<model>/key` and `ca.crt`.
    """
    spec = agent.spec
    return AgentBindings(
        models={entry.name: _binding(entry, f"{folder}/{entry.name}") for entry in spec.models},
        description=spec.description or "",
        capabilities=CAPABILITIES[spec.architecture] if spec.capabilities is None else tuple(spec.capabilities),
        telemetry_content=spec.telemetry.content,
    )


def host_bindings(agent: Agent) -> Bindings:
    """The document of a host in a cluster, which serves this agent alone."""
    return Bindings(agents={f"{agent.metadata.namespace}/{agent.metadata.name}": bindings_of(agent)})


def _binding(entry: ModelSpec, folder: str) -> ModelBinding:
    return ModelBinding(
        api_key_file=f"{folder}/{contract.MODEL_KEY_FILE}" if entry.api_key_ref else None,
        ca_file=f"{folder}/{contract.MODEL_CA_FILE}" if entry.tls else None,
        price=_price(entry.price) if entry.price else None,
    )


def _price(price: ModelPrice) -> Price:
    return Price(input=price.input, output=price.output, cached_input=price.cached_input)
