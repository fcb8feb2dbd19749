"""A real image registry inside a devcluster, reachable under one name from its node and from this machine."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devcluster import binaries, lifecycle
from devcluster.namespaces import inside
from devcluster.recipes import Recipe
from devcluster.settings import Cluster, cache_home

PORT = 5000
MOST_BYTES = 4_000_000_000
"""That are kept: more than a dozen versions of all images."""
REGISTRY = Recipe(name="registry", version="3.0.0", package="github.com/distribution/distribution/v3/cmd/registry")


def kept_registry() -> Path:
    """The folder of a registry that stays from run to run, so that a push compresses only layers that are new."""
    folder = cache_home() / "test-registry"
    if sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) > MOST_BYTES:
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


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
