"""A Plugin's connector: what is made for it, where a pod of its namespace calls its server or is the server."""

from typing import cast
from urllib.parse import urlsplit

from slipway_crds import contract
from slipway_crds.identity import CONFIG_MAP as IDENTITY_CONFIG_MAP
from slipway_crds.meta import PLUGIN_LABEL
from slipway_crds.plugins.connector import CREDENTIALS_DIR, connector_config, credential_files, source_url
from slipway_crds.plugins.model import McpServer, Plugin
from slipway_crds.podsettings import PodSettings
from slipway_operator.core import host_tls, policies
from slipway_operator.core.inputs import BuildSettings, Owner, child, labels, service_account
from slipway_operator.core.manifests import JsonObject, Manifest
from slipway_operator.core.objects import DEPLOYMENT, SERVICE
from slipway_operator.core.pods import container, http_probe, pod_spec, pod_template, read_only, resources
from slipway_operator.plugins.agent_metrics import metrics_address, metrics_objects
from slipway_operator.plugins.program import gateway_url, program_container, program_volumes

COMPONENT = "connector"
OWNER_AND_GROUP = 0o440
GRACE_SECONDS = 60
PROBES: JsonObject = {
    "startupProbe": http_probe(contract.LIVEZ, period=1, failures=60),
    "livenessProbe": http_probe(contract.LIVEZ, period=10, failures=6),
    "readinessProbe": http_probe(contract.READYZ, period=2, failures=3),
}
RESOURCES = {"requests": {"cpu": "20m", "memory": "96Mi"}, "limits": {"memory": "256Mi"}}


def connector_objects(
    owner: Owner, settings: BuildSettings, plugin: Plugin, *, store_secret: str = ""
) -> list[Manifest]:
    """Everything that a connector consists of. The Secret is of the namespace's store, for a plugin that uses it."""
    name, own = contract.connector_name(owner.name), _labels(owner)
    return [
        service_account(name, owner, own),
        _service(owner, settings),
        *([_network_policy(owner, settings, plugin)] if settings.network_policies else []),
        *metrics_objects(owner, settings, plugin, readers=_labels(owner)),
        _deployment(owner, settings, plugin, store_secret if uses_store(plugin) else ""),
    ]


def uses_store(plugin: Plugin) -> bool:
    """Whether the plugin's pod mounts the namespace's login to the store."""
    return plugin.spec.python is not None and plugin.spec.python.store


def _labels(owner: Owner) -> dict[str, str]:
    return labels(COMPONENT, {PLUGIN_LABEL: owner.name})


def _service(owner: Owner, settings: BuildSettings) -> Manifest:
    service = child(SERVICE, contract.connector_name(owner.name), owner, _labels(owner))
    service["spec"] = {
        "type": "ClusterIP",
        "selector": _labels(owner),
        "ports": host_tls.service_ports(settings),
    }
    return service


def _network_policy(owner: Owner, settings: BuildSettings, plugin: Plugin) -> Manifest:
    """In from the gateway and the operator; out to names, to what the plugin calls and is fetched from, and to what
    `permissions` names. Python is trusted, and takes no permissions: only metadata is closed to it."""
    permissions = plugin.spec.permissions
    trusted = [policies.to_all_ports()] if plugin.spec.python else []
    outward = [
        *trusted,
        *_servers(plugin),
        *([policies.to_gateway(settings)] if permissions and permissions.agents else []),
        *(policies.to_egress(each) for each in (permissions.egress if permissions else ())),
    ]
    return policies.network_policy(
        contract.connector_name(owner.name),
        owner,
        _labels(owner),
        selector=_labels(owner),
        ingress=[
            *host_tls.ingress(settings),
            policies.from_metrics(),
        ],
        egress=[policies.to_dns(), *outward] if outward else [],
    )


def _servers(plugin: Plugin) -> list[JsonObject]:
    """Out to a server, an API and a source: to the pods of a Service, whose ports only the Service knows, or to any
    address but those of metadata at the port of a URL."""
    server = plugin.spec.mcp or plugin.spec.openapi
    urls = [source_url(plugin)]
    if isinstance(server, McpServer):
        urls.append(server.url or "")
    elif server is not None:
        urls.append(server.base_url or "")
    parts = [urlsplit(url) for url in urls if url]
    ports = sorted({each.port or (443 if each.scheme == "https" else 80) for each in parts})
    pods: list[JsonObject] = [{"to": [{"podSelector": {}}]}] if server is not None and server.service_ref else []
    return [*pods, *map(policies.to_anywhere, ports)]


def _deployment(owner: Owner, settings: BuildSettings, plugin: Plugin, store_secret: str) -> Manifest:
    deployment = child(DEPLOYMENT, contract.connector_name(owner.name), owner, _labels(owner))
    deployment["spec"] = {
        "replicas": 1,
        "revisionHistoryLimit": 1,
        "progressDeadlineSeconds": settings.rollout_deadline,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "selector": {"matchLabels": _labels(owner)},
        "template": pod_template(_labels(owner), _pod(owner, settings, plugin, store_secret), None),
    }
    return deployment


def _pod(owner: Owner, settings: BuildSettings, plugin: Plugin, store_secret: str) -> JsonObject:
    connector = _connector(settings, plugin, store=bool(store_secret))
    store: list[JsonObject] = [{"name": "store", "secret": {"secretName": store_secret}}] if store_secret else []
    spec = pod_spec(
        settings,
        service_account=contract.connector_name(owner.name),
        container=connector,
        volumes=[
            {"name": "identity", "configMap": {"name": IDENTITY_CONFIG_MAP}},
            {"name": "credentials", "projected": {"defaultMode": OWNER_AND_GROUP, "sources": _sources(plugin)}},
            *store,
            *host_tls.volumes(settings),
        ],
        pod=_pull_secrets(plugin),
    )
    spec["terminationGracePeriodSeconds"] = GRACE_SECONDS
    if program := program_container(settings, plugin):
        spec["containers"] = [connector, program]
        spec["volumes"] = [*cast(list[object], spec["volumes"]), *program_volumes(plugin)]
    return spec


def _connector(settings: BuildSettings, plugin: Plugin, *, store: bool) -> JsonObject:
    return container(
        settings,
        name=COMPONENT,
        image=settings.runtime_image,
        ports={
            contract.HTTP_PORT_NAME: contract.HTTP_PORT,
            "metrics": contract.METRICS_PORT,
            **host_tls.container_ports(settings),
        },
        env=[
            {"name": "SLIPWAY_CONNECTOR", "value": connector_config(plugin).canonical().decode()},
            {"name": "SLIPWAY_IDENTITY_ANCHOR", "value": settings.identity_anchor},
            *gateway_url(settings, plugin),
            *metrics_address(plugin),
            *host_tls.environment(settings),
        ],
        mounts=[
            read_only("identity", contract.IDENTITY_DIR),
            read_only("credentials", CREDENTIALS_DIR),
            *([read_only("store", contract.STORE_DIR)] if store else []),
            *host_tls.mounts(settings),
        ],
        resources=resources(RESOURCES, None),
        more={"args": [contract.CONNECTOR_COMMAND], **PROBES},
    )


def _pull_secrets(plugin: Plugin) -> PodSettings | None:
    image = plugin.spec.mcp.image if plugin.spec.mcp else None
    return PodSettings(image_pull_secrets=list(image.pull_secrets)) if image and image.pull_secrets else None


def _sources(plugin: Plugin) -> list[JsonObject]:
    # Optional, so that the connector starts and says itself what is missing.
    return [
        {each.kind: {"name": each.name, "optional": True, "items": [{"key": each.key, "path": each.file}]}}
        for each in credential_files(plugin)
    ]
