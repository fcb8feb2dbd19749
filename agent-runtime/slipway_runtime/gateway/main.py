"""`slipway gateway`: the gateway of a cluster, with routes from Kubernetes.

On SIGTERM it says at once that it is not ready, goes on accepting for a moment (other parts of the cluster learn of it
with a delay), then stops accepting and lets open requests end within the grace period.
"""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
import uvloop
from starlette.applications import Starlette

from slipway_runtime.gateway.admission import Bound
from slipway_runtime.gateway.app import Gateway, create_app
from slipway_runtime.gateway.auth import ApiKeys, Authenticator, Open
from slipway_runtime.gateway.kubernetes_api import KubernetesApi
from slipway_runtime.gateway.kubernetes_routes import KubernetesRoutes
from slipway_runtime.gateway.routes import AgentKey, RouteTable
from slipway_runtime.gateway.upstream import Upstreams, new_session
from slipway_runtime.identity import IdentitySigner
from slipway_runtime.settings import GatewaySettings
from slipway_runtime.telemetry.logging import configure_logging
from slipway_runtime.telemetry.tracing import configure_tracing

log = logging.getLogger(__name__)

LINGER_SECONDS = 3.0
"""How long a gateway that is not ready any more still accepts: until load balancers have noticed."""
HELD_SHARE = 0.5
"""Share of the requests in flight that may be waiting for a pod, so that one agent's outage leaves room for others."""


@asynccontextmanager
async def assembled(settings: GatewaySettings, *, routes: RouteTable, signer: IdentitySigner) -> AsyncIterator[Gateway]:
    """A gateway over a table of routes, whoever keeps that current."""
    authenticator: Authenticator = Open() if settings.auth_mode == "open" else ApiKeys(settings.api_keys_file)
    async with new_session(settings.max_in_flight) as session:
        yield Gateway(
            routes=routes,
            upstreams=Upstreams(
                routes=routes,
                session=session,
                hold_seconds=settings.hold_seconds,
                held=Bound(max(1, int(settings.max_in_flight * HELD_SHARE))),
            ),
            authenticator=authenticator,
            signer=signer,
            bound=Bound(settings.max_in_flight),
            default_agent=AgentKey.parse(settings.default_agent) if settings.default_agent else None,
        )


class DrainingServer(uvicorn.Server):
    """A server that drains on SIGTERM and ends by returning, so that what comes after it (the last traces) happens."""

    def __init__(self, config: uvicorn.Config, gateway: Gateway) -> None:
        super().__init__(config)
        self._gateway = gateway

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take signals through the event loop; uvicorn's own way would raise them again at the end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def _stop(self, number: int) -> None:
        """Turn readiness off and stop accepting a moment later; a second signal, or Ctrl-C, stops at once."""
        if self._gateway.draining or number == signal.SIGINT:
            self.force_exit = self.should_exit
            self.should_exit = True
            return
        log.info("shutting down", extra={"in_flight": self._gateway.bound.taken})
        self._gateway.draining = True
        asyncio.get_running_loop().call_later(LINGER_SECONDS, setattr, self, "should_exit", True)


def server_config(app: Starlette, port: int) -> uvicorn.Config:
    """How a gateway is served in a cluster. Open requests may take the pod's whole grace period to end."""
    return uvicorn.Config(
        app,
        host="",  # every address, of both families
        port=port,
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
    )


async def serve(settings: GatewaySettings) -> None:
    """Serve until told to stop."""
    signer = IdentitySigner.from_pem(settings.identity_key_file.read_bytes())
    api = await KubernetesApi.connect()
    routes = RouteTable()
    source = KubernetesRoutes(api, routes)
    try:
        async with assembled(settings, routes=routes, signer=signer) as gateway, source.following():
            gateway.routes_missing = source.missing
            await DrainingServer(server_config(create_app(gateway), settings.port), gateway).serve()
    finally:
        await api.close()


def main() -> None:
    """Entry of `slipway gateway`."""
    configure_logging("gateway")
    flush = configure_tracing("slipway-gateway")
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(GatewaySettings()))
    finally:
        flush()
