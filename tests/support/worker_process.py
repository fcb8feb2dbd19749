"""`slipway worker` as processes, in front of a stand-in for the gateway whose agents count what they do."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from slipway_crds.workflows.model import Workflow
from slipway_crds.workflows.report import definition_text
from slipway_runtime import statements
from slipway_runtime.identity import HEADER, Caller
from tests.support.identity_keys import host_keys
from tests.support.scripts import SIGNER
from tests.support.servers import free_port, wait_for_http
from tests.support.serving import served

ROOT = Path(__file__).parents[2]
COMMAND = (str(Path(sys.executable).with_name("slipway")), "worker")
LISTED = {"agents": [{"namespace": "demo", "name": "a", "ready": True, "capabilities": ["acting"]}]}
TOOLS = {"tools": [{"name": "act", "inputSchema": {"type": "object"}}, {"name": "pay", "inputSchema": {}}]}


@dataclass
class StandInGateway:
    """Lists one agent, whose tools take a moment and count by idempotency key."""

    seconds: float = 0.1
    began: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    traces: set[str] = field(default_factory=set)
    """Trace ids of the calls."""
    held: asyncio.Event = field(default_factory=asyncio.Event)
    """Until it is set, `pay` does not answer."""
    away: bool = False
    """Whether it answers that no pod is ready."""

    def app(self) -> Starlette:
        """The application."""
        return Starlette(
            routes=[Route("/agents", self._list), Route("/agents/demo/a/mcp", self._mcp, methods=["POST"])]
        )

    async def _list(self, _: Request) -> Response:
        return JSONResponse(LISTED)

    async def _mcp(self, request: Request) -> Response:
        if self.away:
            return JSONResponse({"reason": "NoPodReady", "detail": "none"}, status_code=503)
        body = await request.json()
        if body["method"] == "tools/list":
            return JSONResponse({"jsonrpc": "2.0", "id": 1, "result": TOOLS})
        key, params = request.headers["idempotency-key"], body["params"]
        self.traces.add(request.headers["traceparent"].split("-")[1])
        self.began[key] += 1
        if params["name"] == "pay":
            await self.held.wait()
        await asyncio.sleep(self.seconds)
        self.ended[key] += 1
        result = {"content": [], "structuredContent": {"key": key, "time": self.ended[key], **params["arguments"]}}
        return JSONResponse({"jsonrpc": "2.0", "id": 1, "result": result})


@dataclass(frozen=True)
class WorkerProcess:
    """A running worker."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def kill(self) -> None:
        """End it at once, as a node that is lost."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)


@dataclass
class Workers:
    """Workers of one namespace, over one store."""

    folder: Path
    dsn: str
    gateway: str
    alive: list[WorkerProcess] = field(default_factory=list)
    _count: int = 0

    def define(self, workflow: Workflow) -> None:
        """Put a workflow where workers read it."""
        (self.folder / "workflows").mkdir(exist_ok=True)
        (self.folder / "workflows" / f"{workflow.metadata.name}.json").write_text(definition_text(workflow))

    def start(self, **others: str) -> WorkerProcess:
        """One more, with other variables in its environment as well; it may not be ready yet."""
        self._count += 1
        port, log = free_port(), self.folder / f"worker-{self._count}.log"
        (self.folder / "dsn").write_text(self.dsn)
        (self.folder / "key").write_text("k3y")
        environment = {
            **host_keys(self.folder, SIGNER.public_key),
            "SLIPWAY_STORE_DSN_FILE": str(self.folder / "dsn"),
            "SLIPWAY_WORKER_KEY_FILE": str(self.folder / "key"),
            "SLIPWAY_WORKFLOWS": str(self.folder / "workflows"),
            "SLIPWAY_GATEWAY_URL": self.gateway,
            "SLIPWAY_WORKER_ID": f"worker-{self._count}",
            "SLIPWAY_PORT": str(port),
            "SLIPWAY_METRICS_PORT": str(free_port()),
            "SLIPWAY_SEGMENTS": "8",
            **others,
        }
        with log.open("wb") as stderr:
            process = subprocess.Popen(COMMAND, cwd=ROOT, stderr=stderr, env={**os.environ, **environment})
        worker = WorkerProcess(process, f"http://127.0.0.1:{port}", log)
        self.alive.append(worker)
        return worker

    async def ready(self, worker: WorkerProcess) -> WorkerProcess:
        """When it takes runs."""
        await asyncio.to_thread(wait_for_http, f"{worker.url}/readyz", worker.process, worker.log)
        return worker

    def kill(self, worker: WorkerProcess) -> None:
        """End a worker at once."""
        worker.kill()
        self.alive.remove(worker)

    async def ask(self, method: str, path: str, body: Any = None, *, caller: str = "alice", trace: str = "") -> Any:
        """What a living worker answers the gateway, about the workflow `test`."""
        identity = SIGNER.sign(Caller.by_key(caller), statements.audience("demo"))
        url = f"{self.alive[-1].url}/workflows/demo/test/{path}"
        headers = {HEADER: identity} | ({"traceparent": trace} if trace else {})
        async with (
            aiohttp.ClientSession() as client,
            client.request(method, url, json=body, headers=headers) as response,
        ):
            content = await response.json(content_type=None)
            assert response.status < 300, content
            return content


@contextmanager
def workers_of(folder: Path, dsn: str, gateway: str) -> Iterator[Workers]:
    """Workers for as long as the block lasts."""
    workers = Workers(folder, dsn, gateway)
    try:
        yield workers
    finally:
        for worker in workers.alive:
            worker.kill()


@asynccontextmanager
async def standing_in() -> AsyncIterator[tuple[StandInGateway, str]]:
    """A stand-in for the gateway, and its URL."""
    gateway = StandInGateway()
    async with served(gateway.app()) as url:
        yield gateway, url
