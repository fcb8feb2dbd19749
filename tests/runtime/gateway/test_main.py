"""`slipway gateway` as a process: routes from an API server, a real drain on SIGTERM, an exit code of 0."""

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from slipway_runtime.gateway.auth import new_key
from slipway_runtime.gateway.kubernetes_routes import AGENTS_PATH, SLICES_PATH
from tests.runtime.gateway.conftest import CHAT, StartHost
from tests.support.chat import STREAM, events, transcribe
from tests.support.fake_kubernetes import FakeKubernetes
from tests.support.host_process import host_process
from tests.support.otlp import otlp_receiver
from tests.support.scripted_host import SEED, words
from tests.support.servers import free_port
from tests.support.waiting import until, until_async

KEY, ENTRY = new_key("alice")


@pytest.fixture
async def cluster() -> AsyncIterator[FakeKubernetes]:
    fake = FakeKubernetes(free_port())
    await fake.start()
    yield fake
    await fake.stop()


class GatewayProcess:
    """The command with everything that a pod would be given."""

    def __init__(self, folder: Path, cluster: FakeKubernetes, **extra: str) -> None:
        self.port = free_port()
        pem = Ed25519PrivateKey.from_private_bytes(SEED).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        (folder / "private.pem").write_bytes(pem)
        (folder / "keys.json").write_text(json.dumps({"keys": [ENTRY.model_dump()]}))
        (folder / "kubeconfig").write_text(yaml.safe_dump(_kubeconfig(cluster.url)))
        environment = {
            **os.environ,
            "KUBECONFIG": str(folder / "kubeconfig"),
            "SLIPWAY_PORT": str(self.port),
            "SLIPWAY_API_KEYS_FILE": str(folder / "keys.json"),
            "SLIPWAY_IDENTITY_KEY_FILE": str(folder / "private.pem"),
            "SLIPWAY_DEFAULT_AGENT": "demo/support",
            **extra,
        }
        self.log = folder / "gateway.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [Path(sys.executable).with_name("slipway"), "gateway"], env=environment, stderr=log
            )

    async def ready(self, client: aiohttp.ClientSession) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            async with client.get("/readyz") as response:
                return response.status == 200
        except aiohttp.ClientConnectionError:
            return False


def _kubeconfig(url: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": {"server": url}}],
        "users": [{"name": "it", "user": {"token": "none"}}],
    }


@pytest.fixture
def gateway(tmp_path: Path, cluster: FakeKubernetes) -> Iterator[GatewayProcess]:
    process = GatewayProcess(tmp_path, cluster)
    yield process
    process.process.kill()
    process.process.wait()


def publish(cluster: FakeKubernetes, url: str) -> None:
    """The Agent `demo/support` with one ready pod."""
    host, port = url.removeprefix("http://").split(":")
    labels = {"slipway.dev/agent": "support", "slipway.dev/revision": "a"}
    cluster.apply(
        SLICES_PATH,
        {
            "metadata": {"namespace": "demo", "name": "a-x", "labels": labels},
            "ports": [{"name": "http", "port": int(port)}],
            "endpoints": [{"addresses": [host], "conditions": {"ready": True}}],
        },
    )
    revisions = [{"name": "a", "weight": 100, "state": "Serving"}]
    cluster.apply(
        AGENTS_PATH, {"metadata": {"namespace": "demo", "name": "support"}, "status": {"revisions": revisions}}
    )


async def test_a_stream_outlives_the_signal_to_stop(
    cluster: FakeKubernetes, gateway: GatewayProcess, start_host: StartHost
) -> None:
    _, url = await start_host(delta_delay=0.05)
    publish(cluster, url)
    headers = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{gateway.port}", headers=headers) as client:
        await until_async(lambda: gateway.ready(client), "the gateway is ready")
        async with client.post("/agent/chat", json={"question": "say 100 words"}, headers=STREAM) as response:
            stream = events(response)
            await anext(stream)
            gateway.process.send_signal(signal.SIGTERM)

            async def not_ready() -> bool:
                return not await gateway.ready(client)

            await until_async(not_ready, "it says that it goes")
            async with client.post(CHAT, json={"question": "say 5 words"}) as late:
                assert (late.status, late.headers["Connection"]) == (200, "close")
            rest = [each async for each in stream]
        assert rest[-1][1].type == "done"
    assert await asyncio.to_thread(gateway.process.wait, 30) == 0
    log = [json.loads(line) for line in gateway.log.read_text().splitlines()]
    assert {"draining", "stopping"} <= {line["message"] for line in log}


async def test_neither_keys_nor_questions_are_in_the_log(
    cluster: FakeKubernetes, gateway: GatewayProcess, start_host: StartHost
) -> None:
    _, url = await start_host()
    publish(cluster, url)
    marker = "xyzzy-marker"
    async with aiohttp.ClientSession(f"http://127.0.0.1:{gateway.port}") as client:
        await until_async(lambda: gateway.ready(client), "the gateway is ready")
        for key in (KEY, "wrong-" + KEY):
            headers = {**STREAM, "X-API-Key": key}
            async with client.post(CHAT, json={"question": f"say 5 words {marker}"}, headers=headers) as response:
                if response.status == 200:
                    (await transcribe(response)).assert_whole("".join(words(5)))
        metrics = await (await client.get("/metrics")).text()
    told = gateway.log.read_text() + metrics
    for secret in (KEY, ENTRY.sha256, marker, base64.b64encode(SEED).decode()):
        assert secret not in told


async def test_one_trace_goes_through_gateway_and_host(tmp_path: Path, cluster: FakeKubernetes) -> None:
    with otlp_receiver() as receiver:
        telling = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}
        gateway = GatewayProcess(tmp_path, cluster, **telling)
        try:
            with host_process(tmp_path, f"sqlite:///{tmp_path}/store.db", **telling) as host:
                publish(cluster, host.url)
                headers = {"X-API-Key": KEY}
                async with aiohttp.ClientSession(f"http://127.0.0.1:{gateway.port}", headers=headers) as client:
                    await until_async(lambda: gateway.ready(client), "the gateway is ready")
                    async with client.post(CHAT, json={"question": "say 5 words"}) as response:
                        assert response.status == 200
                wanted = {"gateway chat", "host chat", "run"}
                await until(lambda: wanted <= {span.name for span in receiver.spans}, "the spans were sent")
        finally:
            gateway.process.kill()
            await asyncio.to_thread(gateway.process.wait)
    assert {span.service for span in receiver.spans} == {"slipway-gateway", "slipway-host"}
    assert len({span.trace_id for span in receiver.spans}) == 1
    (first,) = [span for span in receiver.spans if not span.parent_id]
    assert first.name == "gateway chat"


def test_what_a_gateway_pod_imports() -> None:
    """A gateway pod stays small: no agent framework, no store, no embedder, and Kubernetes only to talk to it."""
    script = "import sys, slipway_runtime.gateway.main; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in result.stdout.split()}
    assert not loaded & {"langgraph", "langchain_core", "chromadb", "onnxruntime", "numpy", "asyncpg", "fastapi"}
    assert "kubernetes" not in loaded


@pytest.mark.parametrize(
    ("contents", "words"), [(b"garbage", "PEM"), (None, "No such file")], ids=["not a key", "no file"]
)
def test_a_gateway_without_its_key_says_so(tmp_path: Path, contents: bytes | None, words: str) -> None:
    path = tmp_path / "private.pem"
    if contents:
        path.write_bytes(contents)
    result = subprocess.run(
        [Path(sys.executable).with_name("slipway"), "gateway"],
        env={**os.environ, "SLIPWAY_IDENTITY_KEY_FILE": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    last = json.loads(result.stderr.splitlines()[-1])
    assert words in last["message"]
    assert "slipway-identity" in last["message"]
