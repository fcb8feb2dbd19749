"""`slipway host`: what an agent's pod runs.

It starts in any order with its store and its indexes: until they are there, `/readyz` says what is missing. On SIGTERM
it takes no more questions, finishes those it has, and hands over what it could not finish.
"""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable

import uvloop

from slipway_crds.runtimeconfig import RuntimeConfig
from slipway_runtime.host.app import create_host_app
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.host.service import Host
from slipway_runtime.identity import IdentityVerifier
from slipway_runtime.serving import DrainingServer, server_config
from slipway_runtime.settings import HostSettings
from slipway_runtime.store.database import Database
from slipway_runtime.store.deferred import DeferredDatabase, read_dsn
from slipway_runtime.telemetry.logging import configure_logging
from slipway_runtime.telemetry.tracing import configure_tracing

GRACE_MARGIN_SECONDS = 15.0
"""Time beyond a question's own that draining may take; the pod's grace period is longer still."""
log = logging.getLogger(__name__)

MakeAgents = Callable[[RuntimeConfig, HostSettings, Database], Awaitable[list[HostedAgent]]]


def tame_garbage_collection() -> None:
    """Leave what start-up made out of collections, which otherwise stop the process for 100 ms every now and then."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


async def serve(settings: HostSettings, make_agents: MakeAgents) -> None:
    """Serve until told to stop."""
    config = RuntimeConfig.model_validate_json(settings.config.read_bytes())
    database = DeferredDatabase(lambda: read_dsn(settings.store_dsn_file))
    database.open()
    try:
        host = Host(
            database,
            verifier=IdentityVerifier(settings.identity_public_key),
            host_id=settings.host_id,
            delta_delay=settings.test_delta_delay,
        )
        host.serve(await make_agents(config, settings, database))
        server = DrainingServer(
            server_config(create_host_app(host), port=settings.port, lifespan=True),
            drain=host.drain,
            busy=lambda: host.runs.in_flight,
            grace=max(agent.request_timeout_seconds for agent in config.agents) + GRACE_MARGIN_SECONDS,
        )
        tame_garbage_collection()
        log.info("serving", extra={"agents": [hosted.key for hosted in host.runs.agents.values()]})
        await server.serve()
    finally:
        await database.close()


def run(make_agents: MakeAgents) -> None:
    """Set the process up and serve. Settings come from the environment."""
    configure_logging("host")
    flush = configure_tracing("slipway-host")
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(HostSettings(), make_agents))
    finally:
        flush()
