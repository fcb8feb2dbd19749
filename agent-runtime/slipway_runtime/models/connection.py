"""Connections to model providers: time-outs, certificates, and API keys that are read again when they change."""

import logging
import os
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpcore2
import httpx2

from slipway_runtime.addresses import GuardedBackend

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
"""How long a connection may take to be made, if the model's time-out is not shorter."""
CONNECTIONS = 100
PLACEHOLDER = "set-by-slipway"
"""What SDKs are given as key; the real one is put into each request, so that a rotation needs no new client."""

Header = Literal["authorization", "x-api-key", "x-goog-api-key", "x-subscription-token"]


Version = tuple[int, int, int]
"""Of a file, as its status has it: another one once the file has been written or replaced."""


class KeyProblem(Exception):
    """An API key cannot be used. The message says what to do and never holds the key."""


@dataclass
class ApiKeyFile:
    """An API key, or another value that a server is called with, in a mounted file."""

    path: Path
    what: str = "the API key"
    ref: str = "apiKeyRef"
    """The field that names its Secret."""
    spaces: bool = False
    """Whether it may have spaces in it."""
    _read: tuple[Version, str] | None = None

    def __repr__(self) -> str:
        return f"ApiKeyFile({str(self.path)!r})"  # without the key

    def key(self) -> str:
        """The key as it is in the file now.

        Raises:
            KeyProblem: if there is none, or it cannot be a key.
        """
        try:
            version = _version(self.path)
            if self._read is None or self._read[0] != version:
                self._read = version, self.path.read_text("ascii").strip()
        except FileNotFoundError:
            raise KeyProblem(f"{self.what} is missing: create the Secret that {self.ref} names, with its key") from None
        except (OSError, UnicodeDecodeError) as error:
            raise KeyProblem(f"the file of {self.what} cannot be read ({type(error).__name__})") from None
        key = self._read[1]
        if not key or not key.isprintable() or (" " in key and not self.spaces):
            why = "is empty" if not key else "has spaces or line breaks in it"
            raise KeyProblem(f"{self.what} {why}: write {self.what} alone into the Secret that {self.ref} names")
        return key


def key_in(file: Path | None, *, ref: str) -> Callable[[], str | None]:
    """Gives the API key of the moment.

    Args:
        file: None for a service that asks for none.
        ref: the field that names its Secret.
    """
    return no_key if file is None else ApiKeyFile(file, ref=ref).key


def no_key() -> None:
    """The key of a service that asks for none."""


def _version(path: Path) -> Version:
    status = os.stat(path)
    return status.st_mtime_ns, status.st_ino, status.st_size


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """What a provider's certificate is checked against: the bundle if there is one, else the system's authorities."""
    return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)


class GuardedTransport(httpx2.AsyncHTTPTransport):
    """httpx's transport over connections that go to no metadata service. Proxies of the environment are not used.

    The bundle of certificates is read again when it has changed, for the connections that are made from then on.
    """

    def __init__(self, ca_file: Path | None) -> None:
        self._ca_file = ca_file
        self._ca_version = _version(ca_file) if ca_file else None
        context = tls_context(ca_file)
        super().__init__(verify=context)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=context,
            max_connections=CONNECTIONS,
            max_keepalive_connections=20,
            keepalive_expiry=5.0,
            network_backend=GuardedBackend(),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """See httpx's transport."""
        if self._ca_file is not None:
            self._follow_bundle(self._ca_file)
        return await super().handle_async_request(request)

    def _follow_bundle(self, ca_file: Path) -> None:
        try:
            version = _version(ca_file)
            if version != self._ca_version:
                self._pool._ssl_context = tls_context(ca_file)  # it offers no other way
                self._ca_version = version
        except (OSError, ssl.SSLError) as error:
            log.warning("the certificates in %s cannot be read (%s): the former ones count", ca_file, error)


def http_client(
    *, header: Header, key: Callable[[], str | None], seconds: float, ca_file: Path | None
) -> httpx2.AsyncClient:
    """A client for one provider.

    Args:
        header: where the key goes.
        key: the key of the moment; None for none. It may raise KeyProblem.
        seconds: how long the provider may be silent.
    """

    async def authorize(request: httpx2.Request) -> None:
        current = key()
        if current is None:
            request.headers.pop(header, None)
        else:
            request.headers[header] = f"Bearer {current}" if header == "authorization" else current

    return guarded_client(authorize, seconds=seconds, ca_file=ca_file)


def guarded_client(
    authorize: Callable[[httpx2.Request], Awaitable[None]], *, seconds: float, ca_file: Path | None = None
) -> httpx2.AsyncClient:
    """A client that reaches no metadata service and follows no redirect.

    Args:
        authorize: puts credentials into each request.
        seconds: how long a server may be silent.
    """
    return httpx2.AsyncClient(
        transport=GuardedTransport(ca_file),
        timeout=httpx2.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds)),
        event_hooks={"request": [authorize]},
        follow_redirects=False,
        trust_env=False,
    )
