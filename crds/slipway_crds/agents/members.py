"""Which agents an agent asks, and whether that leads back to it."""

from collections.abc import Sequence

from slipway_crds.agents.model import Agent
from slipway_crds.references import Objects, look_up


def agent_refs(agent: Agent) -> tuple[tuple[str, str], ...]:
    """The path of each reference to another agent, and the name there: first the members, then the tools."""
    spec = agent.spec
    members = ((f"spec.members[{place}]", each.agent_ref) for place, each in enumerate(spec.members))
    tools = ((f"spec.tools[{place}]", each.agent_ref) for place, each in enumerate(spec.tools))
    return tuple((f"{path}.agentRef.name", ref.name) for path, ref in (*members, *tools) if ref is not None)


def plugin_refs(agent: Agent) -> tuple[tuple[str, str], ...]:
    """The path of each reference to a plugin, and the name there."""
    tools = ((f"spec.tools[{place}]", each.plugin_ref) for place, each in enumerate(agent.spec.tools))
    around = ((f"spec.plugins[{place}]", each.plugin_ref) for place, each in enumerate(agent.spec.plugins))
    return tuple((f"{path}.pluginRef.name", ref.name) for path, ref in (*tools, *around) if ref is not None)


def asked_by(agent: Agent) -> tuple[str, ...]:
    """Names of the agents that an agent may ask, each once. All are in its namespace."""
    return tuple(dict.fromkeys(name for _, name in agent_refs(agent)))


def cycle(agent: Agent, objects: Objects) -> Sequence[str]:
    """The agents by which an agent leads back to itself, itself last; nothing where none does.

    Args:
        objects: what is known. An agent that is not among them leads nowhere.
    """
    start, namespace = agent.metadata.name, agent.metadata.namespace
    came_from: dict[str, str] = {}
    to_visit = [(start, asked_by(agent))]
    while to_visit:
        asking, asked = to_visit.pop()
        for name in asked:
            if name in came_from:
                continue
            came_from[name] = asking
            if name == start:
                return _way(came_from, start)
            if (other := look_up(objects, Agent, namespace, name)) is not None:
                to_visit.append((name, asked_by(other)))
    return ()


def _way(came_from: dict[str, str], start: str) -> Sequence[str]:
    way = [start]
    while (before := came_from[way[-1]]) != start:
        way.append(before)
    return way[::-1]
