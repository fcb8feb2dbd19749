"""Nodes that do not exist, and kwok, which says of their pods whatever a kubelet would: Ready, at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.kubernetes_http import KubernetesHttp
from benchmarks.processes import environment, start, stop
from devcluster import binaries, recipes

NODES = 10
ANNOTATION = ("kwok.x-k8s.io/node", "fake")
FAKES = "type=kwok"
"""Selects these nodes."""
LEASE_SECONDS = 40
CAPACITY = {"cpu": "64", "memory": "512Gi", "pods": "250"}


def node(number: int) -> dict[str, Any]:
    """A node of kwok's."""
    name = f"fake-{number}"
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": dict([ANNOTATION]),
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "type": "kwok"},
        },
        "status": {"capacity": CAPACITY, "allocatable": CAPACITY},
    }


@asynccontextmanager
async def fake_nodes(kube: KubernetesHttp, kubeconfig: Path, log: Path) -> AsyncIterator[None]:
    """The nodes, while the block runs."""
    binary = await asyncio.to_thread(binaries.ensure, recipes.KWOK)
    command = [
        str(binary),
        f"--kubeconfig={kubeconfig}",
        f"--config={binary.with_name('kwok.yaml')}",
        "--manage-all-nodes=false",
        f"--manage-nodes-with-annotation-selector={'='.join(ANNOTATION)}",
        f"--node-lease-duration-seconds={LEASE_SECONDS}",
    ]
    for number in range(NODES):
        made = node(number)
        await kube.apply(f"/api/v1/nodes/{made['metadata']['name']}", made)
        await kube.merge(f"/api/v1/nodes/{made['metadata']['name']}/status", {"status": made["status"]})
    process = start(command, env=environment(), log=log)
    try:
        yield
    finally:
        await asyncio.to_thread(stop, process)
