"""A real Chroma where the pod of an index's server seems to be, and that pod as an API server has it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np

from slipway_runtime.knowledge.vectors.chroma_server import ChromaServer
from tests.support import servers

PORT = 8000
"""Chroma's on every pod: the operator asks no other."""


@asynccontextmanager
async def chroma_at(address: str, folder: Path) -> AsyncIterator[ChromaServer]:
    """A client of a server that listens at the pod's address for as long as the block lasts."""
    server = servers.ChromaServer(folder, host=address, port=PORT)
    try:
        server.start()
        client = ChromaServer(server.url)
        yield client
        await client.close()
    finally:
        server.stop()


async def fill(chroma: ChromaServer, namespace: str, count: int) -> None:
    """Vectors of the first build of the index `handbook`."""
    ids = [str(number) for number in range(count)]
    await chroma.upsert(f"{namespace}.handbook.r1", ids, np.eye(count, dtype=np.float32))


def server_pod(stateful_set: dict[str, Any]) -> dict[str, Any]:
    """The first pod of an index's StatefulSet, without a status."""
    template, metadata = stateful_set["spec"]["template"], stateful_set["metadata"]
    owner = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{metadata['name']}-0",
            "namespace": metadata["namespace"],
            "labels": template["metadata"]["labels"],
            "ownerReferences": [owner],
        },
        "spec": {
            **{key: value for key, value in template["spec"].items() if key != "serviceAccount"},
            "volumes": [*template["spec"]["volumes"], {"name": "data", "emptyDir": {}}],
        },
    }


def ready_status(address: str, *, since: str) -> dict[str, Any]:
    """The status of a pod that is ready, `since` as Kubernetes writes times."""
    readiness = {"type": "Ready", "status": "True", "lastTransitionTime": since}
    return {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": [readiness]}
