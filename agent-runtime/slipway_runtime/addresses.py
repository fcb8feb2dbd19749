"""Addresses that are not connected to for a tenant: where clouds hand out credentials of nodes (metadata services).

The host of a `baseURL` or of a Redis may be a name, and a name may lead anywhere at any time, so the address is looked
at where the connection is made, and the connection goes to the address that was looked at.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpcore2

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

METADATA = frozenset(
    ipaddress.ip_address(each)
    for each in (
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure's WireServer
        "fd00:ec2::254",  # AWS
        "fd20:ce::254",  # Google Cloud
        "fd00:c1::a9fe:a9fe",  # Oracle Cloud
    )
)
"""Metadata services that are not at a link-local address."""
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""Where networks without IPv4 translate to it (RFC 6052)."""


class ForbiddenAddress(Exception):
    """A host leads to a metadata service or another link-local address."""

    def __init__(self, host: str, address: Address) -> None:
        super().__init__(
            f"{host} leads to {address}, which belongs to the machine's own network (clouds hand out credentials "
            "there): set baseURL, or the url of a Redis, to the address of the service itself"
        )


class OutOfReach(ForbiddenAddress):
    """A host leads to an address that its kind of server may not have."""

    def __init__(self, host: str, address: Address, why: str) -> None:
        Exception.__init__(self, f"{host} leads to {address}, {why}")


@dataclass(frozen=True)
class AddressRule:
    """Which addresses a server may have, metadata services and link-local ones aside, which none may.

    Args:
        loopback: this machine's own.
        private: those of networks of one's own, as pods have them.
        networks: private ones all the same.
        remedy: what to do about a private address.
    """

    loopback: bool = False
    private: bool = False
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    remedy: str = (
        "use serviceRef for a Service of the Plugin's namespace, or open the network with the chart value "
        "gateway.plugins.privateNetworks"
    )

    def check(self, host: str, addresses: Sequence[str]) -> None:
        """Raise ForbiddenAddress if one of a host's addresses is out of reach."""
        check(host, addresses)
        for each in addresses:
            given = ipaddress.ip_address(each.partition("%")[0])
            address = _embedded(given) or given
            if address.is_loopback:
                if not self.loopback:
                    raise OutOfReach(host, given, "which is this machine itself: name the server's own address")
            elif not (self.private or address.is_global or any(address in network for network in self.networks)):
                raise OutOfReach(host, given, f"which is a private address: {self.remedy}")


def is_forbidden(address: Address) -> bool:
    """Whether nothing may be connected to there. An IPv4 address inside an IPv6 one is looked at as what it is."""
    address = _embedded(address) or address
    return address.is_link_local or address.is_multicast or address.is_unspecified or address in METADATA


def _embedded(address: Address) -> Address | None:
    """The IPv4 address that an IPv6 one is translated to: mapped, by 6to4 or by NAT64. None if it is to none."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host.

    Raises:
        ForbiddenAddress: if one of them is forbidden.
        OSError: if the name is not known.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(each[4][0]) for each in found]
    check(host, addresses)
    return addresses


def check(host: str, addresses: Sequence[str]) -> None:
    """Raise ForbiddenAddress if one of a host's addresses is forbidden."""
    for each in addresses:
        address = ipaddress.ip_address(each.partition("%")[0])
        if is_forbidden(address):
            raise ForbiddenAddress(host, address)


async def check_url(url: str) -> None:
    """See `resolve`, for the host of a URL."""
    await resolve(*_host_and_port(url))


def check_url_blocking(url: str) -> None:
    """See `check_url`, for a thread. Raises ForbiddenAddress; a name that is not known passes."""
    host, port = _host_and_port(url)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return
    check(host, [str(each[4][0]) for each in found])


def _host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Connects to allowed addresses only."""

    def __init__(self) -> None:
        self._backend = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Raises httpcore2.ConnectError if the host is not known, is forbidden, or none of its addresses answers."""
        try:
            async with asyncio.timeout(timeout):
                addresses = await resolve(host, port)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(f"the name {host} was not resolved in time") from error
        except (OSError, ForbiddenAddress) as error:
            raise httpcore2.ConnectError(str(error)) from error
        failure: Exception | None = None
        for address in dict.fromkeys(addresses):
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore2.ConnectError as error:
                failure = error
        raise failure or httpcore2.ConnectError(f"{host} has no address")

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)
