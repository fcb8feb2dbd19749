"""Whether NetworkPolicies let pods connect somewhere, as a network that enforces them would decide."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any


@dataclass(frozen=True)
class Pod:
    """A pod that connects, or that is connected to."""

    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def namespace_labels(self) -> Mapping[str, str]:
        return {"kubernetes.io/metadata.name": self.namespace}


def reaches(policy: Any, to: Pod | str, port: int, *, protocol: str = "TCP", namespace: str = "demo") -> bool:
    """Whether the policy of pods in a namespace lets them out to a pod, or to an address outside the cluster."""
    return _passes(policy.get("egress", ()), "to", to, port, protocol=protocol, namespace=namespace)


def connects(policies: Iterable[Any], source: Pod, to: Pod | str, port: int, *, protocol: str = "TCP") -> bool:
    """Whether NetworkPolicy objects together let a pod connect to another one, or to an address outside the cluster.

    A pod that no policy selects is open. One that several select may do what any of them allows.
    """
    objects = list(policies)
    out = _of(objects, source, "Egress")
    if out and not any(reaches(each, to, port, protocol=protocol, namespace=source.namespace) for each in out):
        return False
    if isinstance(to, str):
        return True
    into = _of(objects, to, "Ingress")
    return not into or any(
        _passes(each.get("ingress", ()), "from", source, port, protocol=protocol, namespace=to.namespace)
        for each in into
    )


def _of(objects: Sequence[Any], pod: Pod, direction: str) -> list[Any]:
    """The policies that close a direction for a pod, but for their rules."""
    specs = (each["spec"] for each in objects if each["metadata"]["namespace"] == pod.namespace)
    return [spec for spec in specs if direction in spec["policyTypes"] and _selects(spec["podSelector"], pod.labels)]


def _passes(rules: Iterable[Any], peers: str, other: Pod | str, port: int, *, protocol: str, namespace: str) -> bool:
    """Whether any rule lets something through. One without ports is for all ports, one without peers for everybody."""
    return any(
        ("ports" not in rule or (port, protocol) in _ports(rule))
        and (peers not in rule or any(_matches(peer, other, namespace) for peer in rule[peers]))
        for rule in rules
    )


def _ports(rule: Any) -> list[tuple[int, str]]:
    return [(each["port"], each.get("protocol", "TCP")) for each in rule["ports"]]


def _matches(peer: Mapping[str, Any], other: Pod | str, namespace: str) -> bool:
    if isinstance(other, str):
        target, block = ip_address(other), peer.get("ipBlock")
        return (
            block is not None
            and target in ip_network(block["cidr"])
            and not any(target in ip_network(each) for each in block.get("except", ()))
        )
    if "ipBlock" in peer:
        return False
    in_namespace = (
        _selects(peer["namespaceSelector"], other.namespace_labels)
        if "namespaceSelector" in peer
        else other.namespace == namespace
    )
    return in_namespace and _selects(peer.get("podSelector", {}), other.labels)


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    assert selector.keys() <= {"matchLabels", "matchExpressions"}
    desired: Mapping[str, str] = selector.get("matchLabels", {})
    return desired.items() <= labels.items() and all(
        _expressed(each, labels) for each in selector.get("matchExpressions", ())
    )


def _expressed(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    assert expression["operator"] == "In"
    return labels.get(expression["key"]) in expression["values"]
