"""All that a run of a workflow needs, as processes that may be killed: a gateway, hosts, workers and Postgres."""

import asyncio
import random
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from slipway_crds.contract import WORKER, WORKER_KEY_LABEL, key_fingerprint
from slipway_crds.workflows.model import Workflow
from slipway_runtime.gateway.kubernetes_routes import SLICES_PATH
from slipway_runtime.gateway.workflows.source import SERVICE_LABEL, WORKFLOWS_PATH
from slipway_runtime.host.main import run
from tests.support.chaos_processes import LEASE_SECONDS, Killable, serve_gateway
from tests.support.fake_kubernetes import FakeKubernetes
from tests.support.gateway_process import KEY, gateway_environment, publish
from tests.support.host_process import host_environment, wordy_agents
from tests.support.postgres import RestartablePostgres
from tests.support.scripts import hosted
from tests.support.servers import free_port
from tests.support.worker_process import WorkerProcess, Workers, workers_of

HOSTS = ("one", "two")
AGENT = "clerk"
DELTA_SECONDS = 0.4
"""Between the pieces of an answer, so that many runs go on at a time."""


def serve_wordy_host() -> None:
    """`slipway host` with an agent that says words, and a short lease."""
    from slipway_runtime.host import lease, lifecycle, runs

    for module in (runs, lease):
        setattr(module, "LEASE_SECONDS", LEASE_SECONDS)  # noqa: B010 (each has the name for itself)
    setattr(lifecycle, "BEAT_SECONDS", LEASE_SECONDS / 3)  # noqa: B010
    run(wordy_agents)


@dataclass
class WorkflowStack:
    """All of them, and a client of the gateway."""

    postgres: RestartablePostgres
    cluster: FakeKubernetes
    gateway: Killable
    hosts: dict[str, Killable]
    workers: Workers
    client: aiohttp.ClientSession

    async def define(self, workflow: Workflow) -> None:
        """Let workers and the gateway know a workflow."""
        self.workers.define(workflow)
        spec = workflow.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
        metadata = {"namespace": workflow.metadata.namespace, "name": workflow.metadata.name}
        self.cluster.apply(WORKFLOWS_PATH, {"metadata": metadata, "spec": spec})

    async def start_worker(self) -> WorkerProcess:
        """One more worker, which the gateway knows once it is ready."""
        worker = await self.workers.ready(self.workers.start(SLIPWAY_SEGMENTS="16"))
        self.publish_workers()
        return worker

    def publish_workers(self) -> None:
        """Tell the gateway which workers there are."""
        labels = {SERVICE_LABEL: WORKER, WORKER_KEY_LABEL: key_fingerprint("k3y")}
        for number, worker in enumerate(self.workers.alive):
            host, port = worker.url.removeprefix("http://").split(":")
            self.cluster.apply(
                SLICES_PATH,
                {
                    "metadata": {"namespace": "demo", "name": f"worker-{number}", "labels": labels},
                    "ports": [{"name": "http", "port": int(port)}],
                    "endpoints": [{"addresses": [host], "conditions": {"ready": True}}],
                },
            )

    async def begin(self, given: dict[str, Any]) -> str:
        """Begin a run at the gateway. Returns its id."""
        async with self.client.post("/workflows/demo/test/runs", json={"input": given}) as response:
            answer = await response.json(content_type=None)
            assert response.status == 202, answer
            return str(answer["run_id"])

    async def outage(self, seconds: float) -> None:
        """Of Postgres."""
        await asyncio.to_thread(self.postgres.stop)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self.postgres.start)

    def restart_gateway(self) -> None:
        """Kill it, and start it again."""
        self.gateway.kill()
        self.gateway.start_again()

    def restart_host(self) -> None:
        """Likewise, one of the two."""
        host = self.hosts[random.choice(HOSTS)]
        host.kill()
        host.start_again()

    async def replace_worker(self) -> None:
        """Kill one, and start another, which takes over when it is ready."""
        self.workers.kill(random.choice(self.workers.alive))
        await self.start_worker()


async def workflow_stack(
    stack: ExitStack, folder: Path, cluster: FakeKubernetes, client: aiohttp.ClientSession, port: int
) -> WorkflowStack:
    """Start all of it; what is entered ends it.

    Args:
        client: of the gateway, which gets this port.
    """
    postgres = stack.enter_context(RestartablePostgres())
    url = f"http://127.0.0.1:{port}"
    (folder / "gateway").mkdir()
    environment = gateway_environment(folder / "gateway", cluster, port=port, metrics_port=free_port())
    gateway = Killable(serve_gateway, url=url, environment=environment, log=folder / "gateway.log")
    stack.callback(gateway.kill)
    config = hosted(None).config.model_copy(update={"name": AGENT, "in_flight": 200})
    hosts = {}
    for name in HOSTS:
        own = folder / name
        own.mkdir()
        port = free_port()
        environment = host_environment(
            own, postgres.dsn, name=name, agents=[config], port=port, metrics_port=free_port()
        )
        environment["SLIPWAY_TEST_DELTA_DELAY"] = str(DELTA_SECONDS)
        hosts[name] = Killable(
            serve_wordy_host, url=f"http://127.0.0.1:{port}", environment=environment, log=own / "host.log"
        )
        stack.callback(hosts[name].kill)
    publish(cluster, *(host.url for host in hosts.values()), name=AGENT, spec={"capabilities": ["acting"]})
    workers = stack.enter_context(workers_of(folder, postgres.dsn, url))
    made = WorkflowStack(postgres, cluster, gateway, hosts, workers, client)
    for each in (gateway, *hosts.values()):
        await each.ready(client)
    return made


def headers() -> dict[str, str]:
    """Of a client that the gateway knows."""
    return {"X-API-Key": KEY}
