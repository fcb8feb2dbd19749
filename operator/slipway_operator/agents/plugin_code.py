"""The code of plugins around an agent's answers, in the agent's pods: files of ConfigMaps that its Plugins name."""

from collections.abc import Iterator

from slipway_crds import contract
from slipway_crds.plugins.connector import ConnectorConfig, code_files, source_url
from slipway_crds.plugins.model import Plugin
from slipway_crds.runtimeconfig import AgentConfig, MiddlewareConfig
from slipway_operator.core.manifests import JsonObject
from slipway_operator.core.pods import read_only


def code_volumes(config: AgentConfig) -> list[JsonObject]:
    """The volumes of a host's pod. What is in them may come later: the host says itself what is missing."""
    return [
        {"name": name, "projected": {"sources": [*_projections(config, entry)]}} for name, entry in _with_files(config)
    ]


def code_mounts(config: AgentConfig) -> list[JsonObject]:
    """Where the container has them."""
    return [read_only(name, f"{contract.AGENT_PLUGINS_DIR}/{entry.name}") for name, entry in _with_files(config)]


def code_urls(config: AgentConfig) -> list[str]:
    """Where code is fetched from that is in no ConfigMap."""
    return [url for entry in config.middleware if (url := source_url(_plugin(config, entry)))]


def _with_files(config: AgentConfig) -> Iterator[tuple[str, MiddlewareConfig]]:
    for number, entry in enumerate(config.middleware):
        if code_files(_plugin(config, entry)):
            yield f"plugin-{number}", entry


def _projections(config: AgentConfig, entry: MiddlewareConfig) -> Iterator[JsonObject]:
    for file in code_files(_plugin(config, entry)):
        items = [{"key": file.key, "path": file.file}]
        yield {"configMap": {"name": file.name, "optional": True, "items": items}}


def _plugin(config: AgentConfig, entry: MiddlewareConfig) -> Plugin:
    return ConnectorConfig(namespace=config.namespace, name=entry.plugin, spec=entry.spec).plugin()
