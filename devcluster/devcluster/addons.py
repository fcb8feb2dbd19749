"""What runs in the cluster from the start: DNS and the default StorageClass."""

from importlib import resources
from pathlib import Path

from devcluster.commands import run
from devcluster.errors import DevclusterError
from devcluster.settings import Cluster

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
    return kubectl.attempt("--request-timeout=2s", "get", "--raw", "/readyz") == "ok"


def node_ready(kubectl: Kubectl) -> bool:
    path = "{.items[*].status.conditions[?(@.type=='Ready')].status}"
    return kubectl.attempt("--request-timeout=5s", "get", "nodes", f"--output=jsonpath={path}") == "True"


def dns_ready(kubectl: Kubectl) -> bool:
    command = ("--namespace=kube-system", "get", "deployment", "coredns", "--output=jsonpath={.status.readyReplicas}")
    return (kubectl.attempt("--request-timeout=5s", *command) or "0") != "0"
