"""Which agents use a Plugin, and which version of it each runs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from slipway_crds.contract import CONFIG_KEY
from slipway_crds.plugins.connector import ConnectorConfig
from slipway_crds.plugins.model import USERS_SHOWN
from slipway_crds.runtimeconfig import RuntimeConfig
from slipway_operator.core.cache import Resource
from slipway_operator.core.objects import CONFIG_MAP
from slipway_operator.core.projections import Child, ConfigMapState


@dataclass(frozen=True, order=True)
class PluginUser:
    """An agent that uses a Plugin.

    Args:
        revision: the one that serves; empty before there is one.
        version: of the Plugin; empty while no revision serves.
    """

    name: str
    revision: str = ""
    version: str = ""

    def to_json(self) -> dict[str, str]:
        """As a status has it."""
        given = {"name": self.name, "revision": self.revision, "version": self.version}
        return {name: value for name, value in given.items() if value}


def user_of(agent: Resource, children: Iterable[Child], *, plugin: str, version: str) -> PluginUser:
    """What an agent that refers to a Plugin runs of it.

    Args:
        children: of the agent.
        version: of the Plugin now. Its tools are called in its own pod, so an agent that only calls them uses this one;
            code that runs in the agent's pods is of the version that its revision began with.
    """
    live = agent.status.get("revisions")
    revision = str(live[0].get("name", "")) if isinstance(live, list) and live else ""
    name = agent.key.name
    if not revision:
        return PluginUser(name)
    config = next((each.detail for each in children if (each.kind, each.name) == (CONFIG_MAP.name, revision)), None)
    pinned = _pinned(config, plugin) if isinstance(config, ConfigMapState) else ""
    return PluginUser(name, revision, pinned or version)


def users_json(users: Iterable[PluginUser]) -> list[dict[str, str]]:
    """The first hundred, by name."""
    return [each.to_json() for each in sorted(users)[:USERS_SHOWN]]


def _pinned(state: ConfigMapState, plugin: str) -> str:
    """The version whose code a revision runs; empty if it runs none."""
    try:
        config = RuntimeConfig.model_validate_json(state.data.get(CONFIG_KEY, ""))
    except ValidationError:
        return ""
    specs: list[tuple[str, Mapping[str, Any]]] = [
        (agent.namespace, each.spec) for agent in config.agents for each in agent.middleware if each.plugin == plugin
    ]
    return next((ConnectorConfig(namespace=at, name=plugin, spec=spec).digest() for at, spec in specs), "")
