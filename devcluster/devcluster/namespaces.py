"""The cluster's own network and mount namespaces, and what is set up inside them.

A process that does nothing (`pause`) holds both. The network namespace keeps the cluster's bridge, addresses and packet
filter away from the machine's; the mount namespace shows folders of the cluster in place of /var/lib/kubelet and other
paths that Kubernetes programs have compiled in, and takes every mount with it when the last process ends.
"""

from collections.abc import Sequence
from pathlib import Path

from devcluster.commands import run
from devcluster.settings import NODE_ADDRESS, Cluster

PRIVATE_FOLDERS = ("/var/lib/kubelet", "/var/lib/cni", "/var/log/pods", "/var/log/containers", "/run/containerd")
"""Paths that every cluster needs for itself and that cannot all be configured away."""


def holder_command(pause: Path) -> list[str]:
    """Command line of the process that makes the namespaces and keeps them."""
    return ["unshare", "--net", "--mount", "--propagation", "private", str(pause)]


def inside(holder: int, command: Sequence[str]) -> list[str]:
    """The command line that runs `command` in the namespaces of the holder with that process id."""
    return ["nsenter", f"--net=/proc/{holder}/ns/net", f"--mount=/proc/{holder}/ns/mnt", "--", *command]


def entered(holder: int) -> bool:
    """Whether the holder has left our own namespaces, which it does shortly after its start."""
    try:
        return all(
            Path(f"/proc/{holder}/ns/{kind}").readlink() != Path(f"/proc/self/ns/{kind}").readlink()
            for kind in ("net", "mnt")
        )
    except FileNotFoundError:
        return False


def network_commands() -> list[list[str]]:
    """What gives a fresh network namespace its loopback, the node's address and a default route.

    The bridge only carries the node's address (a dummy device would do, but not every kernel has one). The default
    route leads nowhere: pods reach each other and the node, not the internet.
    """
    settings = ("ipv4/ip_forward", "ipv4/conf/all/route_localnet", "bridge/bridge-nf-call-iptables")
    return [
        ["ip", "link", "set", "lo", "up"],
        ["ip", "link", "add", "br0", "type", "bridge"],
        ["ip", "address", "add", f"{NODE_ADDRESS}/24", "dev", "br0"],
        ["ip", "link", "set", "br0", "up"],
        ["ip", "route", "add", "default", "dev", "br0"],
        *(["sh", "-c", f"echo 1 > /proc/sys/net/{setting}"] for setting in settings),
    ]


def mount_commands(cluster: Cluster) -> list[list[str]]:
    """What puts the cluster's own folders in place of the private ones."""
    return [["mount", "--bind", str(private_folder(cluster, path)), path] for path in PRIVATE_FOLDERS]


def private_folder(cluster: Cluster, path: str) -> Path:
    """Where the content of a private path really lies."""
    return cluster.private / path.strip("/").replace("/", "-")


def set_up(cluster: Cluster, holder: int) -> None:
    """Make a fresh holder's namespaces usable. Raises DevclusterError when a step fails."""
    for path in PRIVATE_FOLDERS:
        private_folder(cluster, path).mkdir(parents=True, exist_ok=True)
        # The empty mount points stay when the cluster goes: removing one would unmount it in every other cluster.
        Path(path).mkdir(parents=True, exist_ok=True)
    for command in [*network_commands(), *mount_commands(cluster)]:
        run(inside(holder, command))
