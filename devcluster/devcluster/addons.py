"""What runs in the cluster from the start: DNS and the default StorageClass."""

from datetime import datetime
from importlib import resources
from pathlib import Path

from devcluster import images
from devcluster.commands import run, succeeds
from devcluster.errors import DevclusterError
from devcluster.namespaces import inside
from devcluster.settings import DNS_ADDRESS, DOMAIN, NODE_NAME, Cluster

MANIFESTS = ("dns.yaml", "storage.yaml")


class Kubectl:
    """kubectl of the cluster's own version, with the cluster's kubeconfig."""

    def __init__(self, binary: Path, cluster: Cluster) -> None:
        self.command = [str(binary), f"--kubeconfig={cluster.kubeconfig}"]

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl to its end. Raises DevclusterError when it fails."""
        return run([*self.command, *arguments], stdin=stdin)

    def attempt(self, *arguments: str) -> str | None:
        """What kubectl printed, or None when it failed: for asking whether something is there yet."""
        try:
            return self(*arguments)
        except DevclusterError:
            return None


def apply(kubectl: Kubectl) -> None:
    """Apply all add-ons; nothing changes when they are there already."""
    for name in MANIFESTS:
        manifest = resources.files("devcluster").joinpath("manifests", name).read_text()
        kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=devcluster", "-f", "-", stdin=manifest)


def api_answers(kubectl: Kubectl) -> bool:
    """Whether the API server says that it is ready."""
    return kubectl.attempt("--request-timeout=2s", "get", "--raw", "/readyz") == "ok"


def node_ready(kubectl: Kubectl, *, since: float) -> bool:
    """Whether the kubelet that was started at `since` (seconds since 1970) has reported the node Ready.

    What an earlier kubelet reported stays in the API server for a while after a crash, so the report's age counts.
    """
    path = "{range .status.conditions[?(@.type=='Ready')]}{.status} {.lastHeartbeatTime}{end}"
    report = kubectl.attempt("--request-timeout=5s", "get", "node", NODE_NAME, f"--output=jsonpath={path}")
    return is_recent(report or "", since=since)


def is_recent(report: str, *, since: float) -> bool:
    """Whether "STATUS TIME" is a True no older than `since`; the API server's times are in whole seconds."""
    status, _, heartbeat = report.partition(" ")
    return status == "True" and datetime.fromisoformat(heartbeat).timestamp() >= int(since)


def dns_answers(holder: int) -> bool:
    """Whether the cluster's DNS really answers at its service's address."""
    name = f"kubernetes.default.svc.{DOMAIN}"
    return succeeds(inside(holder, ["timeout", "2", "busybox", "nslookup", "-type=a", name, DNS_ADDRESS]))


def pods_are_as_told(kubectl: Kubectl, holder: int) -> bool:
    """Whether every container that the API server calls ready is running: after a crash its report is outdated."""
    path = "{range .items[*].status.containerStatuses[?(@.ready==true)]}{.containerID}{'\\n'}{end}"
    pods = ("get", "pods", "--all-namespaces", f"--field-selector=spec.nodeName={NODE_NAME}")
    told = kubectl(*pods, f"--output=jsonpath={path}").split()
    return {container.removeprefix("containerd://") for container in told} <= images.running(holder)
