"""`slipway gateway` as a process of its own, with a stand-in for the API server, and hosts that it finds there."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from slipway_runtime.gateway.auth import new_key
from slipway_runtime.gateway.kubernetes_routes import AGENTS_PATH, SLICES_PATH
from tests.support.fake_kubernetes import FakeKubernetes, Object
from tests.support.scripted_host import SEED
from tests.support.servers import free_port

KEY, ENTRY = new_key("alice")


def gateway_environment(folder: Path, cluster: FakeKubernetes, *, port: int, metrics_port: int) -> dict[str, str]:
    """What a pod would be given; the files are written into the folder."""
    pem = Ed25519PrivateKey.from_private_bytes(SEED).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "private.pem").write_bytes(pem)
    (folder / "keys.json").write_text(json.dumps({"keys": [ENTRY.model_dump()]}))
    (folder / "kubeconfig").write_text(yaml.safe_dump(kubeconfig_of(cluster.url)))
    return {
        "KUBECONFIG": str(folder / "kubeconfig"),
        "SLIPWAY_PORT": str(port),
        "SLIPWAY_METRICS_PORT": str(metrics_port),
        "SLIPWAY_API_KEYS_FILE": str(folder / "keys.json"),
        "SLIPWAY_IDENTITY_KEY_FILE": str(folder / "private.pem"),
    }


class GatewayProcess:
    """The command with everything that a pod would be given."""

    def __init__(self, folder: Path, cluster: FakeKubernetes, **extra: str) -> None:
        port, metrics_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.metrics_url = f"http://127.0.0.1:{metrics_port}/metrics"
        environment = {
            **os.environ,
            **gateway_environment(folder, cluster, port=port, metrics_port=metrics_port),
            "SLIPWAY_DEFAULT_AGENT": "demo/support",
            **extra,
        }
        self.log = folder / "gateway.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [Path(sys.executable).with_name("slipway"), "gateway"], env=environment, stderr=log
            )

    async def ready(self, client: aiohttp.ClientSession) -> bool:
        return await self._is_well(client, "/readyz")

    async def alive(self, client: aiohttp.ClientSession) -> bool:
        return await self._is_well(client, "/livez")

    async def _is_well(self, client: aiohttp.ClientSession, probe: str) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            async with client.get(probe) as response:
                return response.status == 200
        except aiohttp.ClientConnectionError:
            return False


def kubeconfig_of(url: str) -> dict[str, Any]:
    """The file of a client that sends everything to this URL."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": {"server": url}}],
        "users": [{"name": "it", "user": {"token": "none"}}],
    }


@contextmanager
def gateway_process(folder: Path, cluster: FakeKubernetes, **environment: str) -> Iterator[GatewayProcess]:
    """Start a gateway, which is not ready at once; kill it at the end if it still runs."""
    gateway = GatewayProcess(folder, cluster, **environment)
    try:
        yield gateway
    finally:
        if gateway.process.poll() is None:
            gateway.process.kill()
        gateway.process.wait(30)


def publish(
    cluster: FakeKubernetes, *urls: str, namespace: str = "demo", name: str = "support", spec: Object | None = None
) -> None:
    """An Agent with a ready pod at each of the URLs."""
    labels = {"slipway.dev/agent": name, "slipway.dev/revision": "a"}
    for number, url in enumerate(urls):
        host, port = url.removeprefix("http://").split(":")
        cluster.apply(
            SLICES_PATH,
            {
                "metadata": {"namespace": namespace, "name": f"{name}-{number}", "labels": labels},
                "ports": [{"name": "http", "port": int(port)}],
                "endpoints": [{"addresses": [host], "conditions": {"ready": True}}],
            },
        )
    cluster.apply(
        AGENTS_PATH,
        {
            "metadata": {"namespace": namespace, "name": name},
            "spec": spec or {},
            "status": {"revisions": [{"name": "a", "weight": 100, "state": "Serving"}]},
        },
    )
