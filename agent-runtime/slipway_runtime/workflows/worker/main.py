"""`slipway worker`: what does the runs of a namespace's workflows.

It starts in any order with its store: until that is there, `/readyz` says what is missing. On SIGTERM it takes no more
segments, and what it could not end another worker does.
"""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import cast

import uvloop

from slipway_crds import contract
from slipway_runtime import retrying
from slipway_runtime.identity_files import VerifierFile
from slipway_runtime.serving import DrainingServer, server_config, tame_garbage_collection
from slipway_runtime.serving_tls import serving_tls
from slipway_runtime.settings import WorkerSettings
from slipway_runtime.store.database import Database
from slipway_runtime.store.deferred import DeferredDatabase, read_dsn
from slipway_runtime.telemetry.logging import configure_logging
from slipway_runtime.telemetry.metrics import metrics_served
from slipway_runtime.telemetry.tracing import configure_tracing
from slipway_runtime.workflows.dbos_queue import QueueSettings, SegmentQueue
from slipway_runtime.workflows.engine import WorkflowEngine
from slipway_runtime.workflows.steps.calls import GatewayCalls
from slipway_runtime.workflows.triggers.running import Triggers
from slipway_runtime.workflows.worker.app import Worker, create_worker_app
from slipway_runtime.workflows.worker.definitions import DefinitionFiles
from slipway_runtime.workflows.worker.proof import key_in, proof

log = logging.getLogger(__name__)


class Starting:
    """The engine of a worker, which waits for its store."""

    def __init__(self, worker: Worker, database: DeferredDatabase, settings: WorkerSettings) -> None:
        self._worker = worker
        self._database = database
        self._settings = settings
        self._why = "the engine has not started yet"

    def missing(self) -> list[str]:
        """What keeps the worker from taking runs."""
        return [self._why] if self._why else []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start it when it can be started, and stop it at the end."""
        starting = asyncio.create_task(self._start(), name="start the engine")
        try:
            yield
        finally:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            await self._worker.stack.aclose()

    async def _start(self) -> None:
        await self._database.wait()
        queue, dsn = self._worker.engine.queue, read_dsn(self._settings.store_dsn_file)

        async def step() -> None:
            schema = self._settings.engine_schema or await engine_schema_of(self._database, dsn)
            queue.settings = replace(queue.settings, url=dsn, schema=schema)
            await self._worker.stack.enter_async_context(self._worker.engine.serving())
            await self._worker.stack.enter_async_context(self._worker.triggers.serving())

        await retrying.retry(step, policy=retrying.OPEN_STORE, on=lambda _: True, failed=self._failed)
        self._why = ""

    def _failed(self, error: BaseException) -> None:
        why = f"the engine cannot start: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        if why != self._why:
            self._why = why
            log.warning("%s", why)


async def engine_schema_of(database: Database, dsn: str) -> str | None:
    """Where the engine has its tables: next to the store's schema in Postgres. None for SQLite."""
    if not dsn.startswith("postgres"):
        return None
    (row,) = await database.fetch("SELECT CAST(current_schema() AS TEXT) AS name")
    return contract.engine_schema(cast(str, row["name"]))


async def serve(settings: WorkerSettings) -> None:
    """Serve until told to stop."""
    database = DeferredDatabase(lambda: read_dsn(settings.store_dsn_file))
    database.open()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        calls = GatewayCalls(settings.gateway_url, proof(key_in(settings.worker_key_file)))
        stack.push_async_callback(calls.close)
        definitions = DefinitionFiles(settings.workflows)
        executor = f"{settings.worker_id}.{uuid.uuid4().hex[:8]}"
        queue = SegmentQueue(
            QueueSettings(
                url="",
                executor=executor,
                segments=settings.segments,
                of_one_workflow=max(1, settings.segments * 3 // 4),
            )
        )
        engine = WorkflowEngine(database, queue, calls, definitions)
        verifier = VerifierFile(settings.identity_keys_file, anchor=settings.identity_anchor)
        worker = Worker(engine, verifier, Triggers(engine, settings.kafka))
        starting = Starting(worker, database, settings)
        worker.missing = starting.missing
        await stack.enter_async_context(starting.running())
        watching = asyncio.create_task(definitions.watch(), name="watch the workflows")
        stack.callback(watching.cancel)
        tame_garbage_collection()
        await DrainingServer(
            server_config(create_worker_app(worker), port=settings.port, lifespan=False),
            drain=worker.drain,
            busy=lambda: len(engine.running),
            grace=settings.drain_seconds,
            tls=serving_tls(settings.tls_dir, settings.tls_port),
        ).serve()


def main() -> None:
    """Entry of `slipway worker`."""
    configure_logging("worker")
    flush = configure_tracing("slipway-worker")
    try:
        settings = WorkerSettings.from_environment()
        with metrics_served(settings.metrics_port), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings))
    finally:
        flush()
