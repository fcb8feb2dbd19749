"""urllib3's pools, with which git is spoken, over connections that go to allowed addresses only."""

import socket
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NameResolutionError, NewConnectionError

from slipway_runtime.addresses import AddressRule
from slipway_runtime.knowledge.ingestion.sources.servers import CONNECT_SECONDS, SILENCE_SECONDS, SourceServer


def pool_manager(server: SourceServer, url: str) -> urllib3.PoolManager:
    """The pools for a server. Redirects are followed to allowed addresses; a proxy looks at addresses itself, and one
    that the source names is at an allowed address."""
    ca_file, proxy = server.ca_file(), server.proxy(url)
    options: dict[str, Any] = {
        "timeout": urllib3.Timeout(connect=CONNECT_SECONDS, read=SILENCE_SECONDS),
        "ca_certs": str(ca_file) if ca_file else None,
        "cert_reqs": "CERT_REQUIRED",
    }
    if proxy is not None and server.own_proxy is None:
        return urllib3.ProxyManager(proxy, **options)
    manager = urllib3.PoolManager(**options) if proxy is None else urllib3.ProxyManager(proxy, **options)
    manager.pool_classes_by_scheme = _pools(server.reach)
    return manager


def _pools(reach: AddressRule) -> dict[str, Any]:
    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _connect(self, reach)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _connect(self, reach)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _connect(connection: HTTPConnection, reach: AddressRule) -> socket.socket:
    """Connect to an address that was looked at.

    Raises:
        ForbiddenAddress: if one of the host's addresses is not allowed.
    """
    host = connection.host
    try:
        found = socket.getaddrinfo(host, connection.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise NameResolutionError(host, connection, socket.gaierror(str(error))) from error
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    reach.check(host, addresses)
    failure: OSError | None = None
    for each in addresses:
        try:
            return socket.create_connection((each, connection.port), timeout=CONNECT_SECONDS)
        except OSError as error:
            failure = error
    raise NewConnectionError(connection, f"cannot connect to {host}: {failure}") from failure
