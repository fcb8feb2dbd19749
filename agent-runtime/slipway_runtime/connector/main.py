"""`slipway connector`: what a Plugin's connector runs.

Values of headers are read from files for each request, so that a rotated token works at once. Certificates are read
again when their file has changed, for which the process makes its connections anew.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop
from starlette.applications import Starlette

from slipway_crds.contract import GATEWAY_URL
from slipway_crds.plugins.connector import ConnectorConfig
from slipway_crds.plugins.upstream import server_of as server_of_plugin
from slipway_runtime.addresses import AddressRule
from slipway_runtime.connector.app import create_connector_app
from slipway_runtime.connector.credential_files import access_of
from slipway_runtime.connector.hosted_app import create_hosted_app
from slipway_runtime.connector.hosting import HostedPlugin
from slipway_runtime.connector.loaders import Surroundings
from slipway_runtime.identity import Verifier
from slipway_runtime.identity_files import VerifierFile
from slipway_runtime.plugins.watched import WatchedServer
from slipway_runtime.serving import DrainingServer, server_config
from slipway_runtime.serving_tls import serving_tls
from slipway_runtime.settings import ConnectorSettings
from slipway_runtime.telemetry.logging import configure_logging
from slipway_runtime.telemetry.metrics import metrics_served
from slipway_runtime.telemetry.tracing import configure_tracing

GRACE_SECONDS = 45.0


def server_of(config: ConnectorConfig, folder: Path) -> WatchedServer:
    """The server of a configuration, with credentials from a folder."""
    plugin = config.plugin()
    assert plugin.spec.mcp is not None, "what is loaded here has no server"
    beside = plugin.spec.mcp.image is not None
    return WatchedServer(
        server_of_plugin(plugin), access_of(plugin, folder, AddressRule(private=True, loopback=beside))
    )


@asynccontextmanager
async def connector_app(
    config: ConnectorConfig, folder: Path, verifier: Verifier, *, gateway_url: str = GATEWAY_URL
) -> AsyncIterator[Starlette]:
    """The application for a plugin of any type, which is looked at or loaded for as long as the block lasts."""
    plugin = config.plugin()
    if plugin.spec.mcp is not None:
        server = server_of(config, folder)
        server.watch()
        try:
            yield create_connector_app(server, verifier)
        finally:
            await server.close()
        return
    surroundings = Surroundings(folder=folder, reach=AddressRule(private=True), gateway_url=gateway_url)
    hosted = HostedPlugin(plugin, surroundings)
    hosted.watch()
    try:
        yield create_hosted_app(hosted, verifier)
    finally:
        await hosted.close()


async def serve(settings: ConnectorSettings) -> None:
    """Serve until told to stop."""
    config = ConnectorConfig.model_validate_json(settings.connector)
    verifier = VerifierFile(settings.identity_keys_file, anchor=settings.identity_anchor)
    async with connector_app(config, settings.credentials, verifier, gateway_url=settings.gateway_url) as app:
        await DrainingServer(
            server_config(app, port=settings.port, lifespan=config.plugin().spec.mcp is None),
            drain=lambda: None,
            busy=lambda: 0,
            grace=GRACE_SECONDS,
            tls=serving_tls(settings.tls_dir, settings.tls_port),
        ).serve()


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
