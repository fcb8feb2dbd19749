"""A fake node that takes any number of pods and calls them Ready: for what only shows with a hundred agents."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from devcluster import binaries, recipes
from slipway_demo.kube import Kube

NODE = "fake"
REAL_NODE = "devcluster"
ANNOTATION = "kwok.x-k8s.io/node"


@contextmanager
def fake_node(kube: Kube, kubeconfig: Path) -> Iterator[None]:
    """New pods go to the fake node, which is the only one that takes any, until the block ends.

    Raises:
        DevclusterError: if kwok cannot be built.
    """
    binary = binaries.ensure(recipes.KWOK)
    command = [
        str(binary),
        f"--kubeconfig={kubeconfig}",
        f"--config={binary.parent / 'kwok.yaml'}",
        "--manage-all-nodes=false",
        f"--manage-nodes-with-annotation-selector={ANNOTATION}=fake",
        "--node-lease-duration-seconds=40",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        kube.apply([_node()])
        kube.run("wait", f"node/{NODE}", "--for=condition=Ready", "--timeout=60s")
        kube.run("cordon", REAL_NODE)
        yield
    finally:
        kube.run("uncordon", REAL_NODE)
        kube.run("delete", "node", NODE, "--ignore-not-found")
        process.terminate()
        process.wait(30)


@contextmanager
def real_pods_again(kube: Kube) -> Iterator[None]:
    """For the block, new pods go to the real node."""
    kube.run("uncordon", REAL_NODE)
    kube.run("cordon", NODE)
    try:
        yield
    finally:
        kube.run("uncordon", NODE)
        kube.run("cordon", REAL_NODE)


def _node() -> dict[str, Any]:
    labels = {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux"}
    size = {"cpu": "1000", "memory": "4000Gi", "pods": "2000"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NODE, "annotations": {ANNOTATION: "fake"}, "labels": labels},
        "status": {"capacity": size, "allocatable": size},
    }
