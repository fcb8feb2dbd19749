"""Addresses that no agent may reach, and what is wrong with a range of `spec.egress`."""

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network

METADATA_IPV6 = (
    "fd00:ec2::254/128",  # Amazon
    "fd20:ce::254/128",  # Google
    "fd00:c1::a9fe:a9fe/128",  # Oracle
)
LINK_LOCAL_AND_METADATA: Mapping[str, tuple[str, ...]] = {
    "0.0.0.0/0": ("169.254.0.0/16", "100.100.100.200/32"),
    "::/0": ("fe80::/10", *METADATA_IPV6),
}
"""What is taken out of everything, by the range that it is taken out of. 100.100.100.200 is Alibaba's metadata."""


def closed_within(network: IPv4Network | IPv6Network) -> tuple[str, ...]:
    """The ranges that stay closed within a range of `spec.egress`."""
    everything = "0.0.0.0/0" if network.version == 4 else "::/0"
    return tuple(each for each in LINK_LOCAL_AND_METADATA[everything] if ip_network(each).subnet_of(network))  # type: ignore[arg-type]


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
