"""NetworkPolicies: who may talk to whom. Not every network enforces them, so hosts also trust only signed identities.

Nothing may reach out to the metadata addresses of clouds, at which pods could ask for their node's credentials. Name
servers, the store and the telemetry collector may live anywhere but there.
"""

from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from urllib.parse import urlsplit

from slipway_crds.contract import HTTP_PORT, METRICS_PORT
from slipway_crds.egress import LINK_LOCAL_AND_METADATA, METADATA_IPV6, PUBLIC, Egress, closed_within
from slipway_crds.meta import COMPONENT_LABEL, GROUP
from slipway_operator.core.inputs import BuildSettings, Owner, Owners, child
from slipway_operator.core.manifests import JsonObject, Manifest
from slipway_operator.core.objects import NETWORK_POLICY

METADATA = {"0.0.0.0/0": ("169.254.169.254/32", "100.100.100.200/32"), "::/0": METADATA_IPV6}
"""Where clouds answer pods about their node, by the range that it is taken out of. The chart's policies say the same.
100.100.100.200 is Alibaba's. For names only: a node may have its name server at a link-local address, as NodeLocal
DNSCache has, or at Azure's 168.63.129.16; everything else is kept from all of `LINK_LOCAL_AND_METADATA`."""
NAMESPACE_LABEL = "kubernetes.io/metadata.name"
METRICS_LABEL = f"{GROUP}/metrics"
"""On a namespace, by its administrator: what runs there may read the metrics of agents."""


def network_policy(
    name: str,
    owner: Owner | Owners,
    labels: Mapping[str, str],
    *,
    selector: Mapping[str, str],
    ingress: Sequence[JsonObject],
    egress: Sequence[JsonObject],
) -> Manifest:
    """A policy for the pods that the selector matches; both directions are closed but for the rules."""
    policy = child(NETWORK_POLICY, name, owner, labels)
    spec: JsonObject = {"podSelector": {"matchLabels": dict(selector)}, "policyTypes": ["Ingress", "Egress"]}
    if ingress:
        spec["ingress"] = list(ingress)
    if egress:
        spec["egress"] = list(egress)
    policy["spec"] = spec
    return policy


def ingress_policy(
    name: str, owner: Owner, labels: Mapping[str, str], *, selector: Mapping[str, str], ingress: Sequence[JsonObject]
) -> Manifest:
    """A policy that lets somebody in to pods that have policies of their own, which it takes nothing from."""
    policy = network_policy(name, owner, labels, selector=selector, ingress=ingress, egress=[])
    policy["spec"] = {**policy["spec"], "policyTypes": ["Ingress"]}
    return policy


def from_release(settings: BuildSettings, *components: str, port: int) -> JsonObject:
    """In from pods of the release: the gateway's, the operator's."""
    return {
        "from": [
            {
                "namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: settings.release_namespace}},
                "podSelector": {"matchLabels": {COMPONENT_LABEL: component}},
            }
            for component in components
        ],
        "ports": [{"protocol": "TCP", "port": port}],
    }


def from_metrics() -> JsonObject:
    """In from the namespaces whose collectors may read metrics: those that an administrator has labelled."""
    return {
        "from": [{"namespaceSelector": {"matchLabels": {METRICS_LABEL: "true"}}}],
        "ports": [{"protocol": "TCP", "port": METRICS_PORT}],
    }


def from_pods(labels: Mapping[str, str], *, port: int) -> JsonObject:
    """In from pods of the same namespace."""
    return {"from": [{"podSelector": {"matchLabels": dict(labels)}}], "ports": [{"protocol": "TCP", "port": port}]}


def to_pods(labels: Mapping[str, str], *, port: int) -> JsonObject:
    """Out to pods of the same namespace."""
    return {"to": [{"podSelector": {"matchLabels": dict(labels)}}], "ports": [{"protocol": "TCP", "port": port}]}


def to_dns() -> JsonObject:
    """Out to name servers, which may be pods, nodes or elsewhere."""
    return {
        "to": _anywhere_but(METADATA),
        "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
    }


def to_platform(settings: BuildSettings) -> list[JsonObject]:
    """Out to the store and, where the chart names them, to the telemetry collector and the proxy that leads there."""
    ports = sorted({settings.store_port, *_ports_in_environment(settings)})
    return [
        {
            "to": _anywhere_but(LINK_LOCAL_AND_METADATA),
            "ports": [{"protocol": "TCP", "port": port} for port in ports],
        }
    ]


def to_proxy(settings: BuildSettings) -> list[JsonObject]:
    """Out to the proxy that the chart names, wherever it is."""
    ports = sorted(set(_ports(_proxies(_variables(settings)))))
    return [{"to": _anywhere_but(LINK_LOCAL_AND_METADATA), "ports": [_tcp(port) for port in ports]}] if ports else []


def to_gateway(settings: BuildSettings) -> JsonObject:
    """Out to the gateway of the release, through which agents call each other."""
    return {
        "to": [
            {
                "namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: settings.release_namespace}},
                "podSelector": {"matchLabels": {COMPONENT_LABEL: "gateway"}},
            }
        ],
        "ports": [{"protocol": "TCP", "port": HTTP_PORT}],
    }


def to_anywhere(port: int) -> JsonObject:
    """Out to every address but those where clouds answer pods about their node."""
    return {"to": _anywhere_but(LINK_LOCAL_AND_METADATA), "ports": [_tcp(port)]}


def to_all_ports() -> JsonObject:
    """Out to every port of every address but those where clouds answer pods about their node."""
    return {"to": _anywhere_but(LINK_LOCAL_AND_METADATA)}


def to_public(ports: Sequence[int]) -> list[JsonObject]:
    """Out to public addresses, if there are ports."""
    if not ports:
        return []
    return [
        {"to": [_block(cidr, without) for cidr, without in PUBLIC.items()], "ports": [_tcp(port) for port in ports]}
    ]


def to_egress(entry: Egress) -> JsonObject:
    """Out to what an entry of `spec.egress` names."""
    if entry.cidr is not None:
        network = ip_network(entry.cidr, strict=False)
        peer = _block(str(network), closed_within(network))
    else:
        peer = {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: entry.namespace}}}
        if entry.pod_labels:
            peer["podSelector"] = {"matchLabels": dict(entry.pod_labels)}
    return {"to": [peer], "ports": [_tcp(port) for port in entry.ports]}


def _tcp(port: int) -> JsonObject:
    return {"protocol": "TCP", "port": port}


def _block(cidr: str, without: Sequence[str]) -> JsonObject:
    # What is empty is left out: the API server drops it, and no entry of `managedFields` would cover it.
    return {"ipBlock": {"cidr": cidr, "except": list(without)} if without else {"cidr": cidr}}


def _anywhere_but(exceptions: Mapping[str, Sequence[str]]) -> list[JsonObject]:
    """Every pod, and every address but these. A selector as well as the ranges, since not every network takes a pod for
    an address."""
    blocks = [_block(cidr, without) for cidr, without in exceptions.items()]
    return [{"namespaceSelector": {}}, *blocks]


def _ports_in_environment(settings: BuildSettings) -> set[int]:
    variables = _variables(settings)
    collectors = {
        name: value
        for name, value in variables.items()
        if name.startswith("OTEL_EXPORTER_OTLP") and "ENDPOINT" in name and value
    }
    if not collectors:
        return set()
    return set(_ports([*collectors.values(), *_proxies(variables)]))


def _variables(settings: BuildSettings) -> dict[str, str]:
    return {str(each.get("name", "")): str(each.get("value", "")) for each in settings.pod_env}


def _proxies(variables: Mapping[str, str]) -> list[str]:
    return [variables.get(name, "") for name in ("HTTP_PROXY", "HTTPS_PROXY")]


def _ports(urls: Sequence[str]) -> list[int]:
    parsed = [urlsplit(url) for url in urls if url]
    return [part.port or (443 if part.scheme == "https" else 80) for part in parsed]


def reads_labels(index: str) -> dict[str, str]:
    """What marks a pod as one that may reach the server of an index in its namespace."""
    return {f"reads.{GROUP}/{index}": "true"}
