"""TLS at the doors of gateways, hosts and connectors, with a certificate that is read again when its files change.

Each handshake asks for the certificate that holds now, so a renewed one is used at once and no connection is closed.
"""

import logging
import os
import ssl
import time
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)

CERTIFICATE, KEY = "tls.crt", "tls.key"
"""As in a Secret of the type kubernetes.io/tls."""
CHECK_SECONDS = 1.0


class InvalidCertificate(Exception):
    """The files hold no certificate with its key; the text says what they must hold."""


class ServingCertificate:
    """The certificate in a folder.

    Raises:
        InvalidCertificate: if there is none.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._version: object = None
        self._checked = clock()
        self._current = self._read()
        self.context = _new_context()
        """For a server. It never takes part in a handshake but to hand it on."""
        self.context.sni_callback = self._hand_on

    def _hand_on(self, connection: ssl.SSLSocket | ssl.SSLObject, _: str | None, __: ssl.SSLContext) -> None:
        connection.context = self._now()

    def _now(self) -> ssl.SSLContext:
        if self._clock() - self._checked >= CHECK_SECONDS:
            self._checked = self._clock()
            try:
                if self._files() != self._version:
                    self._current = self._read()
                    log.info("the certificate was renewed", extra={"folder": str(self._folder)})
            except (InvalidCertificate, OSError) as error:
                log.error("the last good certificate stays in use: %s", error)
        return self._current

    def _files(self) -> object:
        states = [os.stat(self._folder / name) for name in (CERTIFICATE, KEY)]
        return [(state.st_mtime_ns, state.st_ino, state.st_size) for state in states]

    def _read(self) -> ssl.SSLContext:
        context = _new_context()
        try:
            version = self._files()
            context.load_cert_chain(self._folder / CERTIFICATE, self._folder / KEY)
        except (OSError, ValueError) as error:
            raise InvalidCertificate(
                f"{self._folder} must hold {CERTIFICATE} and {KEY}, as a Secret of the type kubernetes.io/tls does: "
                f"{error}"
            ) from error
        self._version = version
        return context


def serving_tls(folder: Path | None, port: int) -> tuple[int, ssl.SSLContext] | None:
    """The port with TLS, and what it is spoken with; None without a folder.

    Raises:
        InvalidCertificate: if there is no certificate.
    """
    return None if folder is None else (port, ServingCertificate(folder).context)


def _new_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
