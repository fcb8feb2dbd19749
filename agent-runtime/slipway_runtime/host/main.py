"""`slipway host`: what an agent's pod runs.

It starts in any order with its store and its indexes: until they are there, `/readyz` says what is missing. On SIGTERM
it takes no more questions, finishes those it has, and hands over what it could not finish.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import uvloop

from slipway_crds.runtimeconfig import RuntimeConfig
from slipway_runtime.bindings_file import BindingsFile
from slipway_runtime.host.app import create_host_app
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.host.lifecycle import Host
from slipway_runtime.identity_files import VerifierFile
from slipway_runtime.serving import DrainingServer, server_config, tame_garbage_collection
from slipway_runtime.serving_tls import serving_tls
from slipway_runtime.settings import HostSettings
from slipway_runtime.store.database import Database
from slipway_runtime.store.deferred import DeferredDatabase, read_dsn
from slipway_runtime.telemetry.logging import configure_logging
from slipway_runtime.telemetry.metrics import metrics_served
from slipway_runtime.telemetry.tracing import configure_tracing

GRACE_MARGIN_SECONDS = 15.0
"""Time beyond a question's own that draining may take; the pod's grace period is longer still."""
log = logging.getLogger(__name__)

MakeAgents = Callable[[RuntimeConfig, HostSettings, Database], AbstractAsyncContextManager[list[HostedAgent]]]


@asynccontextmanager
async def agents_of(
    config: RuntimeConfig, settings: HostSettings, database: Database
) -> AsyncIterator[list[HostedAgent]]:
    """The agents of a configuration, with the embedding model in memory and used once if they need it."""
    from slipway_runtime.agents.calling import AgentCalls
    from slipway_runtime.agents.factory import AgentDependencies, needs_embedder
    from slipway_runtime.host.making import close_hosted, hosted_agent
    from slipway_runtime.knowledge.documents.opening import TextStores
    from slipway_runtime.knowledge.embedding.minilm import MiniLM
    from slipway_runtime.knowledge.embedding.opening import Embedders
    from slipway_runtime.knowledge.retrieval.reranking import Rerankers
    from slipway_runtime.knowledge.vectors.servers import VectorServers

    async with AsyncExitStack() as stack:
        embedder = MiniLM(settings.model_dir)
        stack.push_async_callback(embedder.close)
        if any(needs_embedder(agent) for agent in config.agents):
            await embedder.embed_query("The first question should not wait for the model.")
        vectors = VectorServers(settings.chroma_url, store=database, connections=settings.connections)
        stack.push_async_callback(vectors.close)
        embedders = Embedders(
            embedder,
            connections=lambda _: settings.connections,
            models=lambda _, config: settings.sentence_models / config.model,
        )
        stack.push_async_callback(embedders.close)
        rerankers = Rerankers(connections=lambda _: settings.connections)
        stack.push_async_callback(rerankers.close)
        texts = TextStores(database, connections=lambda _: settings.connections)
        stack.push_async_callback(texts.close)
        bindings = BindingsFile(settings.bindings)
        calls = AgentCalls(settings.gateway_url)
        stack.push_async_callback(calls.close)
        dependencies = AgentDependencies(
            database=database,
            embedder=embedder,
            vectors=vectors,
            bindings=bindings.of,
            calls=calls,
            embedders=embedders,
            rerankers=rerankers,
            texts=texts,
        )
        hosted = [hosted_agent(agent, dependencies) for agent in config.agents]
        for each in hosted:
            stack.push_async_callback(close_hosted, each)
        yield hosted


async def serve(settings: HostSettings, make_agents: MakeAgents) -> None:
    """Serve until told to stop."""
    config = RuntimeConfig.model_validate_json(settings.config.read_bytes())
    database = DeferredDatabase(lambda: read_dsn(settings.store_dsn_file))
    database.open()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        agents = await stack.enter_async_context(make_agents(config, settings, database))
        host = Host(
            database,
            verifier=VerifierFile(settings.identity_keys_file, anchor=settings.identity_anchor),
            host_id=settings.host_id,
            delta_delay=settings.test_delta_delay,
        )
        host.serve(agents)
        server = DrainingServer(
            server_config(create_host_app(host), port=settings.port, lifespan=True),
            drain=host.drain,
            busy=lambda: host.runs.in_flight,
            grace=max(agent.request_timeout_seconds for agent in config.agents) + GRACE_MARGIN_SECONDS,
            tls=serving_tls(settings.tls_dir, settings.tls_port),
        )
        tame_garbage_collection()
        log.info("serving", extra={"agents": list(host.runs.agents)})
        await server.serve()


def run(make_agents: MakeAgents) -> None:
    """Set the process up and serve. Settings come from the environment."""
    configure_logging("host")
    flush = configure_tracing("slipway-host")
    try:
        settings = HostSettings.from_environment()
        with metrics_served(settings.metrics_port), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings, make_agents))
    finally:
        flush()


def main() -> None:
    """Entry of `slipway host`."""
    run(agents_of)
