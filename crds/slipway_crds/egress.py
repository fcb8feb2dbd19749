"""Where pods may connect to: what is closed to all, and what a manifest may open."""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import Field

from slipway_crds.fields import ATOMIC, Cidr, Namespace, SpecModel, ignored
from slipway_crds.objectmeta import metadata_problems
from slipway_crds.podsettings import Strings
from slipway_crds.rules import exactly_one, only_with

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


class Egress(SpecModel):
    """Somewhere that pods may connect to: a range of addresses, or pods of a namespace."""

    local = ignored("Nothing is closed locally.")
    rules = (
        exactly_one(["cidr", "namespace"]),
        only_with("podLabels", "namespace", "needs namespace: labels choose among the pods of one"),
    )

    cidr: Cidr | None = None
    """A range of addresses. Those at which clouds answer pods about their node stay closed."""
    namespace: Namespace | None = None
    """A namespace whose pods may be reached."""
    pod_labels: Strings = None
    """Labels that those pods have; all pods of the namespace if not given."""
    ports: Annotated[list[Annotated[int, Field(ge=1, le=65535)]], Field(min_length=1, max_length=16), ATOMIC]
    """TCP ports. For pods these are their own ports, not those of a Service in front of them."""


def closed_within(network: IPv4Network | IPv6Network) -> tuple[str, ...]:
    """The ranges that stay closed within a range of `spec.egress`."""
    everything = "0.0.0.0/0" if network.version == 4 else "::/0"
    closed = (ip_network(each) for each in LINK_LOCAL_AND_METADATA[everything])
    return tuple(str(each) for each in closed if each.subnet_of(network))  # type: ignore[arg-type]


def egress_problems(egress: Sequence[Egress]) -> Iterator[tuple[str, str]]:
    """What a schema cannot say of `spec.egress`: path and sentence of each problem."""
    for position, entry in enumerate(egress):
        if entry.cidr and (wrong := cidr_problem(entry.cidr)):
            yield f"spec.egress[{position}].cidr", wrong
        for problem in metadata_problems({"name": "x", "labels": entry.pod_labels or {}}):
            yield f"spec.egress[{position}].podLabels", problem.message


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
