"""Slipway's runtime as processes on the loopback interface, over a real Postgres and a real Chroma.

What a cluster has and this has not is the network between pods and the limits of their cgroups. Routes come from a
stand-in for the API server, which only lists and watches. Traces go to a receiver; callers show a key.
"""

import asyncio
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from benchmarks.figures import BenchmarkFailed
from benchmarks.processes import Running, environment, running
from benchmarks.reports import ROOT
from slipway_crds.resolve import runtime_config
from slipway_crds.runtimeconfig import AgentConfig, RuntimeConfig
from slipway_runtime.dev.agents import agents_in
from slipway_runtime.dev.indexes import indexes_in
from slipway_runtime.dev.manifests import Manifests, load
from slipway_runtime.gateway.kubernetes_routes import AGENTS_PATH, SLICES_PATH
from slipway_runtime.identity import IdentitySigner
from tests.support.fake_kubernetes import FakeKubernetes
from tests.support.identity_keys import host_keys
from tests.support.otlp import Receiver, otlp_receiver
from tests.support.postgres import RestartablePostgres
from tests.support.servers import ChromaServer, free_port

HANDBOOK = ROOT / "examples" / "handbook"
KEY = "slipway-benchmark"
SLIPWAY = str(Path(sys.executable).with_name("slipway"))
REVISION = "handbook-0000000000"


@dataclass(frozen=True)
class StackParts:
    """What processes are started over: everything but the host and the gateway."""

    folder: Path
    dsn: str
    chroma_url: str
    kubernetes: FakeKubernetes
    traces: Receiver
    agent: AgentConfig
    signer: IdentitySigner

    def host_env(self, port: int, metrics_port: int) -> dict[str, str]:
        """Environment of a host, and of an ingestion but for its configuration."""
        return environment(
            SLIPWAY_CONFIG=str(self.folder / "config.json"),
            SLIPWAY_STORE_DSN_FILE=str(self.folder / "dsn"),
            SLIPWAY_CHROMA_URL=self.chroma_url,
            SLIPWAY_PORT=str(port),
            SLIPWAY_METRICS_PORT=str(metrics_port),
            OTEL_EXPORTER_OTLP_ENDPOINT=self.traces.url,
            AWS_ACCESS_KEY_ID="id",  # the SDK of Bedrock signs its requests
            AWS_SECRET_ACCESS_KEY="secret",
            **host_keys(self.folder, self.signer.public_key),
        )

    def gateway_env(self, port: int, metrics_port: int) -> dict[str, str]:
        """Environment of a gateway."""
        return environment(
            KUBECONFIG=str(self.folder / "kubeconfig"),
            SLIPWAY_API_KEYS_FILE=str(self.folder / "api-keys.json"),
            SLIPWAY_IDENTITY_KEY_FILE=str(self.folder / "private.pem"),
            SLIPWAY_PORT=str(port),
            SLIPWAY_METRICS_PORT=str(metrics_port),
            OTEL_EXPORTER_OTLP_ENDPOINT=self.traces.url,
            AWS_ACCESS_KEY_ID="id",  # the SDK of Bedrock signs its requests
            AWS_SECRET_ACCESS_KEY="secret",
        )


@asynccontextmanager
async def parts(*, ingested: bool = True) -> AsyncIterator[StackParts]:
    """Store, vectors, routes and receiver, with `examples/handbook` ingested by `slipway ingest` unless told not to."""
    manifests = await asyncio.to_thread(load, [HANDBOOK])
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slipway-bench-")))
        (folder / "postgres").mkdir()
        (folder / "chroma").mkdir()
        postgres = stack.enter_context(RestartablePostgres(folder / "postgres"))
        chroma = ChromaServer(folder / "chroma")
        stack.callback(chroma.stop)
        await asyncio.to_thread(chroma.start)
        kubernetes = FakeKubernetes(free_port())
        await kubernetes.start()
        stack.push_async_callback(kubernetes.stop)
        traces = stack.enter_context(otlp_receiver())
        key = Ed25519PrivateKey.generate()
        (config,) = agents_in(manifests)
        made = StackParts(folder, postgres.dsn, chroma.url, kubernetes, traces, config, IdentitySigner(key))
        _write_files(made, key)
        if ingested:
            await asyncio.to_thread(_ingest, made, manifests)
        yield made


def _write_files(made: StackParts, key: Ed25519PrivateKey) -> None:
    folder = made.folder
    (folder / "dsn").write_text(made.dsn)
    (folder / "private.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    hashed = {"name": "bench", "sha256": hashlib.sha256(KEY.encode()).hexdigest()}
    (folder / "api-keys.json").write_text(json.dumps({"keys": [hashed]}))
    context = {"name": "bench", "context": {"cluster": "bench", "user": "bench"}}
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "bench", "cluster": {"server": made.kubernetes.url}}],
        "users": [{"name": "bench", "user": {}}],
        "contexts": [context],
        "current-context": "bench",
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))


def _ingest(made: StackParts, manifests: Manifests) -> None:
    index = indexes_in(manifests)[0]
    (made.folder / "ingest.json").write_text(index.config.model_dump_json())
    for source, items in index.sources.items():
        folder = made.folder / "sources" / source
        folder.mkdir(parents=True)
        for name, content in items.items():
            (folder / name).write_bytes(content)
    env = {
        **made.host_env(free_port(), free_port()),
        "SLIPWAY_CONFIG": str(made.folder / "ingest.json"),
        "SLIPWAY_SOURCES": str(made.folder / "sources"),
        "SLIPWAY_TERMINATION_FILE": str(made.folder / "termination"),
    }
    done = subprocess.run([SLIPWAY, "ingest"], env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchmarkFailed(f"slipway ingest failed: {done.stderr[-2000:]}")


@asynccontextmanager
async def host(made: StackParts, *agents: AgentConfig, gateway_url: str = "") -> AsyncIterator[Running]:
    """A host that is ready. It serves the handbook's agent unless others are given.

    Args:
        gateway_url: where agents ask other agents.
    """
    port, metrics_port = free_port(), free_port()
    config = RuntimeConfig(agents=agents) if agents else runtime_config(made.agent)
    (made.folder / "config.json").write_text(config.model_dump_json())
    asks = {"SLIPWAY_GATEWAY_URL": gateway_url} if gateway_url else {}
    async with running(
        [SLIPWAY, "host"],
        env={**made.host_env(port, metrics_port), **asks},
        url=f"http://127.0.0.1:{port}",
        log=made.folder / "host.log",
        metrics_port=metrics_port,
    ) as process:
        yield process


@asynccontextmanager
async def gateway(made: StackParts) -> AsyncIterator[Running]:
    """A gateway that is ready."""
    port, metrics_port = free_port(), free_port()
    async with running(
        [SLIPWAY, "gateway"],
        env=made.gateway_env(port, metrics_port),
        url=f"http://127.0.0.1:{port}",
        log=made.folder / "gateway.log",
        metrics_port=metrics_port,
    ) as process:
        yield process


def route(made: StackParts, host: Running, *agents: AgentConfig, members: Sequence[str] = ()) -> None:
    """Report to the gateway, by way of the API server, that this host serves the handbook's agent, or these.

    Args:
        members: names of the agents that each of them may ask.
    """
    address, port = host.url.removeprefix("http://").split(":")
    for agent in agents or (made.agent,):
        metadata = {"namespace": agent.namespace, "name": agent.name}
        spec = {"architecture": agent.architecture, "members": [{"agentRef": {"name": name}} for name in members]}
        status = {"revisions": [{"name": REVISION, "weight": 100, "state": "Serving"}]}
        made.kubernetes.apply(AGENTS_PATH, {"metadata": metadata, "spec": spec, "status": status})
        labels = {"slipway.dev/agent": agent.name, "slipway.dev/revision": REVISION}
        made.kubernetes.apply(
            SLICES_PATH,
            {
                "metadata": {**metadata, "labels": labels},
                "ports": [{"name": "http", "port": int(port)}],
                "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
            },
        )
