"""A real image registry inside a devcluster, reachable under one name from its node and from this machine."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devcluster import binaries, lifecycle
from devcluster.namespaces import inside
from devcluster.recipes import Recipe
from devcluster.settings import Cluster

PORT = 5000
REGISTRY = Recipe(name="registry", version="3.0.0", package="github.com/distribution/distribution/v3/cmd/registry")


@contextmanager
def registry(cluster: Cluster, folder: Path) -> Iterator[str]:
    """HOST:PORT of a registry that keeps its images in `folder`.

    It listens on the loopback interface of the cluster's network, where containerd speaks plain HTTP to it, and a door
    leads there from the same port of this machine.
    """
    settings = folder / "registry.yaml"
    settings.write_text(
        f"{{version: 0.1, storage: {{filesystem: {{rootdirectory: {folder}}}}}, http: {{addr: '127.0.0.1:{PORT}'}}}}"
    )
    _, holder = lifecycle.running_node(cluster)
    command = inside(holder, [str(binaries.ensure(REGISTRY)), "serve", str(settings)])
    with (folder / "registry.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        lifecycle.expose(cluster, "registry", f"127.0.0.1:{PORT}", PORT)
        yield f"127.0.0.1:{PORT}"
    finally:
        process.terminate()
        process.wait(10)
        lifecycle.unexpose(cluster, "registry")
