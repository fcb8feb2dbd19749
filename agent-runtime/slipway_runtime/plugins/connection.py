"""Connections to a Plugin's server: to addresses that were looked at, from a pool of its own, with time-outs."""

import socket
import ssl
from collections.abc import Callable

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from slipway_runtime import addresses
from slipway_runtime.addresses import AddressRule
from slipway_runtime.responses import PodResponse

CONNECTIONS = 100
"""To one server. Each server has its own, so that one that hangs keeps nobody from another."""
IDLE_SECONDS = 4.0
"""How long an unused connection is kept: less than the 5 s after which many servers close it."""
READ_BYTES = 64 * 1024
HEADER_BYTES = 16 * 1024


class GuardedResolver(AbstractResolver):
    """Resolves names, and gives none that leads out of reach: the connection goes to the address that was looked at."""

    def __init__(self, reach: AddressRule) -> None:
        self._reach = reach

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Raises ForbiddenAddress, or OSError for a name that is not known."""
        found = list(dict.fromkeys(await addresses.resolve(host, port)))
        self._reach.check(host, found)
        return [
            ResolveResult(
                hostname=host,
                host=each,
                port=port,
                family=socket.AF_INET6 if ":" in each else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for each in found
        ]

    async def close(self) -> None:
        """Nothing is open."""


def new_session(
    reach: AddressRule, *, timeout: float, connect_timeout: float, tls: Callable[[], ssl.SSLContext] | None = None
) -> aiohttp.ClientSession:
    """The HTTP client of one server: no cookies, nothing decoded, no redirect followed by those who use it.

    Args:
        timeout: seconds without a byte.
        connect_timeout: seconds until there is a connection, a place in the pool included.
        tls: what its certificate is checked against; the system's authorities if not given.
    """
    connector = aiohttp.TCPConnector(
        limit=CONNECTIONS,
        keepalive_timeout=IDLE_SECONDS,
        resolver=GuardedResolver(reach),
        ssl=tls() if tls else True,
    )
    return aiohttp.ClientSession(
        connector=connector,
        read_bufsize=READ_BYTES,
        response_class=PodResponse,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(
            total=None, connect=connect_timeout, sock_connect=connect_timeout, sock_read=timeout
        ),
        skip_auto_headers=("User-Agent", "Accept-Encoding"),
        max_line_size=HEADER_BYTES,
        max_field_size=HEADER_BYTES,
        trust_env=False,
    )
