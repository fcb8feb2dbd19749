"""Where things are and how they are called: names, versions, addresses and folders of a cluster.

Every cluster lives in a network namespace of its own, so all of them use the same addresses inside. Only the name, the
folders and the port on the loopback interface differ.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import DevclusterError

DEFAULT_NAME = "devcluster"
DEFAULT_MINOR = "1.34"
KUBERNETES = {"1.34": "1.34.4", "1.36": "1.36.3"}
"""Kubernetes minor version -> the patch version that is built for it."""

NODE_NAME = "devcluster"
NODE_ADDRESS = "10.250.0.1"
POD_RANGE = "10.244.0.0/24"
SERVICE_RANGE = "10.96.0.0/16"
API_SERVICE_ADDRESS = "10.96.0.1"
DNS_ADDRESS = "10.96.0.10"
DOMAIN = "cluster.local"
API_PORT = 6443
FIRST_DOOR_PORT = 16443
"""The first cluster's API server is found at this port of 127.0.0.1, the next one's at the next free port."""

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,18}[a-z0-9])?")


def cache_home() -> Path:
    """What can be made again: built binaries, the base image's tree."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "slipway" / "devcluster"


def state_home() -> Path:
    """What clusters write while they live: keys, data, logs, records of processes."""
    base = os.environ.get("XDG_STATE_HOME")
    return Path(base) / "slipway" / "devcluster" if base else cache_home()


@dataclass(frozen=True)
class Cluster:
    """The folders and names of one cluster; nothing in it has to exist."""

    name: str

    @property
    def root(self) -> Path:
        return state_home() / "clusters" / self.name

    @property
    def context(self) -> str:
        """Name of the context in the kubeconfig."""
        return DEFAULT_NAME if self.name == DEFAULT_NAME else f"devcluster-{self.name}"

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    @property
    def pki(self) -> Path:
        return self.root / "pki"

    @property
    def config(self) -> Path:
        """Configuration files of the components, written anew by every `up`."""
        return self.root / "config"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def audit_log(self) -> Path:
        return self.logs / "audit.log"

    @property
    def records(self) -> Path:
        """One file for each process that was started."""
        return self.root / "processes"

    @property
    def private(self) -> Path:
        """What the cluster's mount namespace shows in place of /var/lib/kubelet, /run/containerd and the like."""
        return self.root / "private"

    @property
    def cgroup(self) -> str:
        """Path of the cluster's cgroup below each hierarchy's root; everything it runs is inside."""
        return f"slipway-devcluster/{self.name}"

    @property
    def lock(self) -> Path:
        return self.root.parent / f".{self.name}.lock"


def cluster(name: str) -> Cluster:
    """The cluster of that name. Raises DevclusterError for a name that cannot be a folder, cgroup and context."""
    if not _NAME.fullmatch(name):
        raise DevclusterError(
            f"{name!r} cannot be a cluster's name: "
            "use at most 20 lower-case letters, digits and dashes, starting with a letter"
        )
    return Cluster(name)


def known_clusters() -> list[str]:
    """Names of the clusters that were started and not taken down, running or not."""
    folder = state_home() / "clusters"
    return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def kubernetes_version(minor: str) -> str:
    """The patch version built for a minor version such as 1.34. Raises DevclusterError for one that is not offered."""
    if minor not in KUBERNETES:
        raise DevclusterError(f"Kubernetes {minor} is not offered here: choose one of {', '.join(KUBERNETES)}")
    return KUBERNETES[minor]
