"""How a Plugin reads the metrics of its namespace's agents, if it may: a name that leads to their pods, and a way in.

The name is that of a headless Service, so that whoever asks DNS gets the address of each pod that is ready, and needs
no right at the API server.
"""

from collections.abc import Mapping

from slipway_crds import contract
from slipway_crds.meta import PLUGIN_LABEL
from slipway_crds.plugins.model import Plugin
from slipway_operator.core import policies
from slipway_operator.core.inputs import BuildSettings, Owner, child, labels
from slipway_operator.core.manifests import JsonObject, Manifest
from slipway_operator.core.objects import SERVICE

COMPONENT = "agent-metrics"
AGENTS = labels("agent", {})
"""Of the pods of agents."""


def reads_metrics(plugin: Plugin) -> bool:
    """Whether the plugin may read them."""
    return plugin.spec.python is not None and plugin.spec.python.agent_metrics


def metrics_objects(
    owner: Owner, settings: BuildSettings, plugin: Plugin, *, readers: Mapping[str, str]
) -> list[Manifest]:
    """The Service, and the policy that lets the readers in; none for a plugin that reads nothing.

    Args:
        readers: labels of the plugin's pods.
    """
    if not reads_metrics(plugin):
        return []
    name, own = contract.metrics_service(owner.name), labels(COMPONENT, {PLUGIN_LABEL: owner.name})
    service = child(SERVICE, name, owner, own)
    port = {"name": "metrics", "port": contract.METRICS_PORT, "protocol": "TCP", "targetPort": contract.METRICS_PORT}
    service["spec"] = {"type": "ClusterIP", "clusterIP": "None", "selector": AGENTS, "ports": [port]}
    ingress = [policies.from_pods(readers, port=contract.METRICS_PORT)]
    opened = policies.ingress_policy(name, owner, own, selector=AGENTS, ingress=ingress)
    return [service, *([opened] if settings.network_policies else [])]


def metrics_address(plugin: Plugin) -> list[JsonObject]:
    """Where they are, as an environment variable; none for a plugin that reads nothing."""
    if not reads_metrics(plugin):
        return []
    host = f"{contract.metrics_service(plugin.metadata.name)}.{plugin.metadata.namespace}.svc"
    return [{"name": "SLIPWAY_AGENT_METRICS", "value": f"{host}:{contract.METRICS_PORT}"}]
