"""Whether a NetworkPolicy lets pods connect somewhere, as a network that enforces it would decide."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any


@dataclass(frozen=True)
class PodTo:
    """A pod to connect to."""

    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def namespace_labels(self) -> Mapping[str, str]:
        return {"kubernetes.io/metadata.name": self.namespace}


def reaches(policy: Any, to: PodTo | str, port: int, *, protocol: str = "TCP", namespace: str = "demo") -> bool:
    """Whether the policy of pods in a namespace lets them out to a pod, or to an address outside the cluster."""
    return any(
        (port, protocol) in [(each["port"], each["protocol"]) for each in rule["ports"]]
        and any(_matches(peer, to, namespace) for peer in rule["to"])
        for rule in policy["egress"]
    )


def _matches(peer: Mapping[str, Any], to: PodTo | str, namespace: str) -> bool:
    if isinstance(to, str):
        target, block = ip_address(to), peer.get("ipBlock")
        return (
            block is not None
            and target in ip_network(block["cidr"])
            and not any(target in ip_network(each) for each in block.get("except", ()))
        )
    if "ipBlock" in peer:
        return False
    in_namespace = (
        _selects(peer["namespaceSelector"], to.namespace_labels)
        if "namespaceSelector" in peer
        else to.namespace == namespace
    )
    return in_namespace and _selects(peer.get("podSelector", {}), to.labels)


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    assert selector.keys() <= {"matchLabels"}
    wanted: Mapping[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= labels.items()
