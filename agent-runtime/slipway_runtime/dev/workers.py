"""The worker of the local driver: the same as in a cluster, in this process, with a SQLite file for its queue.

It starts with the first Workflow, since the engine costs every process half a second.
"""

import secrets
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send

from slipway_runtime.identity import Verifier
from slipway_runtime.store.database import Database

if TYPE_CHECKING:
    from slipway_runtime.workflows.engine import WorkflowEngine

PATHS = "/workflows/"
POLLING_SECONDS = 0.1


@dataclass
class LocalWorker:
    """Makes the worker when it is first needed.

    Args:
        database: the store.
        folder: where the queue has its file.
        gateway_url: where agents are called.
        store: DSN of the Postgres that others may share; empty for a store of this process alone.
    """

    database: Database
    verifier: Verifier
    folder: Path
    gateway_url: str
    store: str = ""
    key: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    """With which it proves itself to the gateway."""
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    app: ASGIApp | None = None
    _engine: "WorkflowEngine | None" = None

    @property
    def kafka(self) -> Path:
        """Where passwords and certificates of brokers are."""
        return self.folder / "kafka"

    async def engine(self) -> "WorkflowEngine":
        """The engine, which is started by the first call."""
        if self._engine is not None:
            return self._engine
        from slipway_runtime.workflows.dbos_queue import QueueSettings, SegmentQueue
        from slipway_runtime.workflows.engine import WorkflowEngine
        from slipway_runtime.workflows.steps.calls import GatewayCalls
        from slipway_runtime.workflows.triggers.running import Triggers
        from slipway_runtime.workflows.worker.app import Worker, create_worker_app
        from slipway_runtime.workflows.worker.main import engine_schema_of
        from slipway_runtime.workflows.worker.proof import proof

        settings = QueueSettings(
            url=self.store or f"sqlite:///{self.folder}/workflows.db",
            schema=await engine_schema_of(self.database, self.store),
            executor=f"local.{uuid.uuid4().hex[:8]}",
            polling_seconds=POLLING_SECONDS,
        )
        calls = GatewayCalls(self.gateway_url, proof(lambda: self.key))
        engine = WorkflowEngine(self.database, SegmentQueue(settings), calls, sole=not self.store)
        await self.stack.enter_async_context(engine.serving())
        self.stack.push_async_callback(calls.close)
        triggers = Triggers(engine, self.kafka)
        await self.stack.enter_async_context(triggers.serving())
        self.app = create_worker_app(Worker(engine, self.verifier, triggers))
        self._engine = engine
        return engine


def behind(app: ASGIApp, worker: Callable[[], ASGIApp | None]) -> ASGIApp:
    """An application that has the worker's paths as well, once there is one."""

    async def both(scope: Scope, receive: Receive, send: Send) -> None:
        of_worker = scope["type"] == "http" and scope["path"].startswith(PATHS)
        await ((worker() if of_worker else None) or app)(scope, receive, send)

    return both
