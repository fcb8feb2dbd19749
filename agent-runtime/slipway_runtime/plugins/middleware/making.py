"""The plugins around an agent, from its configuration and the files of its pod."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from slipway_crds.plugins.connector import ConnectorConfig
from slipway_crds.runtimeconfig import AgentConfig, MiddlewareConfig
from slipway_runtime.agents.protocol import Agent
from slipway_runtime.plugins.loaded import PluginNotLoaded
from slipway_runtime.plugins.loading.code_plugin import CodePlugin
from slipway_runtime.plugins.loading.failures import PluginBroken
from slipway_runtime.plugins.loading.loading import load_isolated
from slipway_runtime.plugins.loading.places import PluginPlaces
from slipway_runtime.plugins.middleware.guard import GuardPlugin
from slipway_runtime.plugins.middleware.guarded_agent import GuardedAgent
from slipway_runtime.plugins.sources import read_source


def with_plugins(
    agent: Agent, config: AgentConfig, places: PluginPlaces, *, log_content: Callable[[], bool] = lambda: False
) -> Agent:
    """The agent, with the plugins of its configuration around it.

    Args:
        log_content: see `GuardPlugin`.
    """
    if not config.middleware:
        return agent
    return GuardedAgent(agent, [_plugin(config.namespace, entry, places, log_content) for entry in config.middleware])


def _plugin(
    namespace: str, entry: MiddlewareConfig, places: PluginPlaces, log_content: Callable[[], bool]
) -> GuardPlugin:
    async def load() -> CodePlugin:
        plugin = ConnectorConfig(namespace=namespace, name=entry.plugin, spec=entry.spec).plugin()
        try:
            content = await read_source(plugin, places.folder_of(namespace, entry), places.reach)
        except PluginNotLoaded as error:
            raise PluginBroken(str(error)) from error
        return await load_isolated(plugin, content, folder=_unpacked(namespace, entry.plugin))

    return GuardPlugin(entry, load, log_content=log_content)


def _unpacked(namespace: str, plugin: str) -> Path:
    return Path(tempfile.gettempdir(), "slipway-plugins", namespace, plugin)
