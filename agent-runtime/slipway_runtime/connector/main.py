"""`slipway connector`: what a Plugin's connector runs.

Values of headers are read from files for each request, so that a rotated token works at once. Certificates are read
again when their file has changed, for which the process makes its connections anew.
"""

import asyncio
import logging
import ssl
from collections.abc import Mapping
from pathlib import Path

import uvloop

from slipway_crds.plugins.connector import ConnectorConfig, HeaderConfig
from slipway_runtime.addresses import AddressRule
from slipway_runtime.connector.app import create_connector_app
from slipway_runtime.identity_files import VerifierFile
from slipway_runtime.plugins.server import ServerAccess, ServerFailed
from slipway_runtime.plugins.watched import WatchedServer
from slipway_runtime.serving import DrainingServer, server_config
from slipway_runtime.serving_tls import serving_tls
from slipway_runtime.settings import ConnectorSettings
from slipway_runtime.telemetry.logging import configure_logging
from slipway_runtime.telemetry.metrics import metrics_served
from slipway_runtime.telemetry.tracing import configure_tracing

log = logging.getLogger(__name__)

GRACE_SECONDS = 45.0
LARGEST = 16 * 1024
"""Bytes of a header's value."""


class CredentialFiles:
    """The headers of each request, from a folder."""

    def __init__(self, folder: Path, headers: tuple[HeaderConfig, ...]) -> None:
        self._folder = folder
        self._headers = headers

    def current(self) -> Mapping[str, str]:
        """What is in the files now.

        Raises:
            ServerFailed: if a value is missing or cannot be one of a header. The text never holds it.
        """
        return {each.name: self._value(each) for each in self._headers}

    def _value(self, header: HeaderConfig) -> str:
        try:
            value = (self._folder / header.file).read_bytes()[:LARGEST].decode("ascii").strip()
        except FileNotFoundError:
            raise _missing(header, "is missing: create the Secret that the Plugin names, with its key") from None
        except (OSError, UnicodeDecodeError):
            raise _missing(header, "cannot be read: it must be one line of ASCII") from None
        if not value or not value.isprintable():
            raise _missing(header, "is empty or has line breaks in it: write the value alone into the Secret")
        return f"Bearer {value}" if header.bearer else value


def _missing(header: HeaderConfig, what: str) -> ServerFailed:
    return ServerFailed("CredentialMissing", f"the value of the header {header.name} {what}", status=503, sent=False)


def server_of(config: ConnectorConfig, folder: Path) -> WatchedServer:
    """The server of a configuration, with credentials from a folder."""
    credentials = CredentialFiles(folder, config.headers)
    authorities = folder / config.ca_file if config.ca_file else None

    def tls() -> ssl.SSLContext:
        """The bundle is optional in the pod: without it nothing is trusted, and the status says so."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(cafile=str(authorities))
        except (OSError, ssl.SSLError) as error:
            log.warning("the certificates of the server's authorities cannot be read: %s", error)
        return context

    access = ServerAccess(
        reach=AddressRule(private=True), headers=credentials.current, tls=tls if authorities else None
    )
    return WatchedServer(config.upstream(), access)


async def serve(settings: ConnectorSettings) -> None:
    """Serve until told to stop."""
    config = ConnectorConfig.model_validate_json(settings.connector)
    verifier = VerifierFile(settings.identity_keys_file, anchor=settings.identity_anchor)
    server = server_of(config, settings.credentials)
    server.watch()
    try:
        await DrainingServer(
            server_config(create_connector_app(server, verifier), port=settings.port, lifespan=False),
            drain=lambda: None,
            busy=lambda: 0,
            grace=GRACE_SECONDS,
            tls=serving_tls(settings.tls_dir, settings.tls_port),
        ).serve()
    finally:
        await server.close()


def main() -> None:
    """Entry of `slipway connector`."""
    configure_logging("connector")
    flush = configure_tracing("slipway-connector")
    try:
        settings = ConnectorSettings.from_environment()
        with metrics_served(settings.metrics_port), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings))
    finally:
        flush()
