"""Where an agent's pods may connect to: what is closed to all, and what of its configuration needs `spec.egress`.

Pods of an agent with models reach public addresses at the models' ports. A server in the cluster or at a private
address is reached only where `spec.egress` says so.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from slipway_crds.agents.providers import Egress, ModelSpec
from slipway_crds.runtimeconfig import ModelConfig

METADATA_IPV6 = (
    "fd00:ec2::254/128",  # Amazon
    "fd20:ce::254/128",  # Google
    "fd00:c1::a9fe:a9fe/128",  # Oracle
)
TRANSLATED_IPV6 = (
    *("64:ff9b::a9fe:0/112", "64:ff9b::6464:64c8/128", "64:ff9b::a83f:8110/128"),  # NAT64 (RFC 6052)
    *("2002:a9fe::/32", "2002:6464:64c8::/48", "2002:a83f:8110::/48"),  # 6to4
)
"""IPv6 addresses that networks may translate to those of IPv4 that are closed."""
LINK_LOCAL_AND_METADATA: Mapping[str, tuple[str, ...]] = {
    "0.0.0.0/0": ("169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32"),
    "::/0": ("fe80::/10", *METADATA_IPV6, *TRANSLATED_IPV6),
}
"""What is taken out of everything, by the range that it is taken out of. 100.100.100.200 is Alibaba's metadata,
168.63.129.16 Azure's WireServer."""


PUBLIC: Mapping[str, tuple[str, ...]] = {
    "0.0.0.0/0": (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("168.63.129.16/32", "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3"),
    ),
    "2000::/3": ("2002::/16",),
}
"""The addresses that providers may have, as ranges and what is taken out of them: those of no network of one's own."""


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


def destination(model: ModelSpec | ModelConfig, namespace: str = "") -> Destination:
    """Where a model of an agent in a namespace is served; a provider's own address is one of no name, at 443."""
    if model.base_url is None:
        return Destination("", 443)
    url = urlsplit(model.base_url)
    host = (url.hostname or "").lower()
    labels = host.split(".")
    port = url.port or (443 if url.scheme == "https" else 80)
    if len(labels) == 1:
        return Destination(host, port, namespace or ".")
    in_cluster = labels[2:3] == ["svc"]
    return Destination(host, port, labels[1] if in_cluster else "")


def public_ports(models: Sequence[ModelConfig]) -> list[int]:
    """The ports at which public addresses are open, sorted."""
    reached = (destination(model) for model in models)
    return sorted({each.port for each in reached if each.is_public})


def unreachable(models: Sequence[ModelSpec], egress: Sequence[Egress], namespace: str) -> Iterator[tuple[int, str]]:
    """Models that NetworkPolicies keep the agent from, by position, and what to write. A Service's port may be another
    one than its pods', so of pods only the namespace is compared."""
    for position, model in enumerate(models):
        to = destination(model, namespace)
        if to.is_public:
            continue
        if to.address is None:
            if all(entry.namespace != to.namespace for entry in egress):
                yield (
                    position,
                    (
                        f"is a Service of namespace {to.namespace}, which no entry of spec.egress opens: add one with"
                        f" namespace {to.namespace} and the port of its pods"
                    ),
                )
        elif not any(_opens(entry, to.address, to.port) for entry in egress):
            yield (
                position,
                (
                    f"is a private address, which no entry of spec.egress opens: add one with cidr {to.address}/32 and"
                    f" port {to.port}"
                ),
            )


def _opens(entry: Egress, address: IPv4Address, port: int) -> bool:
    if entry.cidr is None or port not in entry.ports or cidr_problem(entry.cidr):
        return False
    return ip_address(address) in ip_network(entry.cidr, strict=False)


def closed_within(network: IPv4Network | IPv6Network) -> tuple[str, ...]:
    """The ranges that stay closed within a range of `spec.egress`."""
    everything = "0.0.0.0/0" if network.version == 4 else "::/0"
    closed = (ip_network(each) for each in LINK_LOCAL_AND_METADATA[everything])
    return tuple(str(each) for each in closed if each.subnet_of(network))  # type: ignore[arg-type]


def cidr_problem(cidr: str) -> str:
    """What is wrong with a range, as a sentence that goes on after its path; empty if nothing is."""
    try:
        network = ip_network(cidr, strict=False)
    except ValueError:
        return f"is no range of addresses: write it like 10.20.0.0/16 or fd00:1::/64, not {cidr}"
    if network.prefixlen and any(
        network.subnet_of(ip_network(each))  # type: ignore[arg-type]
        for each in LINK_LOCAL_AND_METADATA["0.0.0.0/0" if network.version == 4 else "::/0"]
    ):
        return "must not be link-local or where a cloud answers about its machines: no agent may connect there"
    return ""
