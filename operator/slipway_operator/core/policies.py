"""NetworkPolicies: who may talk to whom. Not every network enforces them, so hosts also trust only signed identities.

Nothing may reach out to the metadata addresses of clouds, at which pods could ask for their node's credentials. Name
servers, the store and the telemetry collector may live anywhere but there.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from slipway_crds.contract import METRICS_PORT
from slipway_crds.meta import COMPONENT_LABEL, GROUP
from slipway_operator.core.inputs import BuildSettings, Owner, child
from slipway_operator.core.manifests import JsonObject, Manifest
from slipway_operator.core.objects import NETWORK_POLICY

METADATA_IPV6 = (
    "fd00:ec2::254/128",  # Amazon
    "fd20:ce::254/128",  # Google
    "fd00:c1::a9fe:a9fe/128",  # Oracle
)
METADATA = {"0.0.0.0/0": ("169.254.169.254/32", "100.100.100.200/32"), "::/0": METADATA_IPV6}
"""Where clouds answer pods about their node, by the range that it is taken out of. The chart's policies say the same.
100.100.100.200 is Alibaba's."""
LINK_LOCAL_AND_METADATA = {
    "0.0.0.0/0": ("169.254.0.0/16", "100.100.100.200/32"),
    "::/0": ("fe80::/10", *METADATA_IPV6),
}
"""For all but names: a node may have its name server at a link-local address, as NodeLocal DNSCache has."""
METRICS_LABEL = f"{GROUP}/metrics"
"""On a namespace, by its administrator: what runs there may read the metrics of agents."""


def network_policy(
    name: str,
    owner: Owner,
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


def from_release(settings: BuildSettings, *components: str, port: int) -> JsonObject:
    """In from pods of the release: the gateway's, the operator's."""
    return {
        "from": [
            {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": settings.release_namespace}},
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


def _anywhere_but(exceptions: Mapping[str, Sequence[str]]) -> list[JsonObject]:
    """Every pod, and every address but these. A selector as well as the ranges, since not every network takes a pod for
    an address."""
    blocks: list[JsonObject] = [
        {"ipBlock": {"cidr": cidr, "except": list(without)}} for cidr, without in exceptions.items()
    ]
    return [{"namespaceSelector": {}}, *blocks]


def _ports_in_environment(settings: BuildSettings) -> set[int]:
    variables = {str(each.get("name", "")): str(each.get("value", "")) for each in settings.pod_env}
    collectors = {
        name: value
        for name, value in variables.items()
        if name.startswith("OTEL_EXPORTER_OTLP") and "ENDPOINT" in name and value
    }
    if not collectors:
        return set()
    proxies = [variables.get(name, "") for name in ("HTTP_PROXY", "HTTPS_PROXY")]
    parsed = [urlsplit(url) for url in (*collectors.values(), *proxies) if url]
    return {part.port or (443 if part.scheme == "https" else 80) for part in parsed}


def reads_labels(index: str) -> dict[str, str]:
    """What marks a pod as one that may reach the server of an index in its namespace."""
    return {f"reads.{GROUP}/{index}": "true"}
