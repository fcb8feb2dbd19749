"""Ranges of `spec.egress`: what is none, and what stays closed within one."""

from ipaddress import ip_network

import pytest

from slipway_crds.egress import cidr_problem, closed_within


@pytest.mark.parametrize("cidr", ["10.0.0.0/8", "10.1.2.3/8", "0.0.0.0/0", "203.0.113.7/32", "fd00::/8", "::/0"])
def test_a_range_passes(cidr: str) -> None:
    assert cidr_problem(cidr) == ""


@pytest.mark.parametrize("cidr", ["10.0.0.0/33", "10.0.0/8", "256.0.0.0/8", "fd00::/129", "fd00:::/8", "1/1"])
def test_what_is_no_range_is_refused(cidr: str) -> None:
    assert "is no range" in cidr_problem(cidr)


@pytest.mark.parametrize(
    "cidr", ["169.254.169.254/32", "169.254.0.0/16", "fe80::1/128", "fd00:ec2::254/128", "168.63.129.16/32"]
)
def test_a_metadata_address_is_refused(cidr: str) -> None:
    assert "no agent may connect there" in cidr_problem(cidr)


def test_metadata_stays_closed_within_a_wider_range() -> None:
    assert closed_within(ip_network("0.0.0.0/0")) == ("169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32")
    assert closed_within(ip_network("100.64.0.0/10")) == ("100.100.100.200/32",)
    assert closed_within(ip_network("10.0.0.0/8")) == ()
    assert "64:ff9b::a9fe:0/112" in closed_within(ip_network("64:ff9b::/96"))
    assert closed_within(ip_network("2002::/16")) == ("2002:a9fe::/32", "2002:6464:64c8::/48", "2002:a83f:8110::/48")
    assert closed_within(ip_network("fd00::/8"))[0] == "fd00:ec2::254/128"
