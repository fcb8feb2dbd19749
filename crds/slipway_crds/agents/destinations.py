"""Where an agent's models are served, and which of them need `spec.egress`.

Pods of an agent with models reach public addresses at the models' ports. A server in the cluster or at a private
address is reached only where `spec.egress` says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Protocol
from urllib.parse import urlsplit

from slipway_crds.egress import PUBLIC, Egress, cidr_problem

PORTS: Mapping[str, int] = {"http": 80, "https": 443, "redis": 6379, "rediss": 6379}
"""Where an address leads that names no port."""


class ExternalService(Protocol):
    """A model, or a service that searches the web: what an agent calls at a `baseURL` or at the provider's address."""

    @property
    def base_url(self) -> str | None: ...


@dataclass(frozen=True)
class Destination:
    """Where a model is served. `namespace` is that of a Service in the cluster (`.` for the agent's own where that
    is not known); empty for other hosts."""

    host: str
    port: int
    namespace: str = ""

    @property
    def address(self) -> IPv4Address | None:
        """The host, if it is an address. URLs of models have no IPv6 addresses in them."""
        try:
            return IPv4Address(self.host)
        except ValueError:
            return None

    @property
    def is_public(self) -> bool:
        """Whether it may be outside the networks that pods and machines of one's own have."""
        if self.address is not None:
            return not any(self.address in ip_network(each) for each in PUBLIC["0.0.0.0/0"])
        return not self.namespace


def destination(model: ExternalService, namespace: str = "") -> Destination:
    """Where a model of an agent in a namespace is served; a provider's own address is one of no name, at 443."""
    return Destination("", 443) if model.base_url is None else destination_of(model.base_url, namespace)


def destination_of(address: str, namespace: str = "") -> Destination:
    """Where an address of http or redis leads from a namespace."""
    url = urlsplit(address)
    host = (url.hostname or "").lower()
    labels = host.split(".")
    port = url.port or PORTS[url.scheme]
    if len(labels) == 1:
        return Destination(host, port, namespace or ".")
    in_cluster = labels[2:3] == ["svc"]
    return Destination(host, port, labels[1] if in_cluster else "")


def public_ports(models: Sequence[ExternalService], others: Sequence[str] = ()) -> list[int]:
    """The ports at which public addresses are open, sorted.

    Args:
        others: addresses of other servers that are connected to.
    """
    reached = [*(destination(model) for model in models), *map(destination_of, others)]
    return sorted({each.port for each in reached if each.is_public})


def closed(to: Destination, egress: Sequence[Egress]) -> str:
    """Why NetworkPolicies keep the agent from a server, as a sentence after its path; empty if they do not.

    A Service's port may be another one than its pods', so of pods only the namespace is compared.
    """
    if to.is_public:
        return ""
    if to.address is None:
        if any(entry.namespace == to.namespace for entry in egress):
            return ""
        return (
            f"is a Service of namespace {to.namespace}, which no entry of spec.egress opens: add one with"
            f" namespace {to.namespace} and the port of its pods"
        )
    if any(_opens(entry, to.address, to.port) for entry in egress):
        return ""
    return (
        f"is a private address, which no entry of spec.egress opens: add one with cidr {to.address}/32 and"
        f" port {to.port}"
    )


def _opens(entry: Egress, address: IPv4Address, port: int) -> bool:
    if entry.cidr is None or port not in entry.ports or cidr_problem(entry.cidr):
        return False
    return ip_address(address) in ip_network(entry.cidr, strict=False)
