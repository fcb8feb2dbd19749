"""The release in a cluster as helm has it, and the way back to it: all that a failed deployment needs.

So going back asks no registry and no signature: what it needs must not be what has just failed.
"""

import json
from dataclasses import dataclass
from typing import Any

import yaml

from devcluster.progress import say, step
from scripts.deploy import objects
from scripts.deploy.cluster import ReleaseCluster
from scripts.deploy.objects import CANDIDATE, GATEWAY

RELEASE = "slipway"
TIMEOUT = "15m"


@dataclass(frozen=True)
class Release:
    """The release of one cluster, and what was started alongside it."""

    cluster: ReleaseCluster

    def roll_back(self) -> None:
        """Callers to the release's own gateways, these as helm has them, and those alongside removed."""
        present = self.revision()
        if present is None:
            say("nothing is installed, so there is nothing to go back to")
            return
        self.lead(objects.LIVE)
        manifest = self.run_helm("get", "manifest", RELEASE, f"--revision={present}")
        with step(f"putting {GATEWAY} back to revision {present}"):
            self.replace(objects.gateway_of(yaml.safe_load_all(manifest)))
        self.remove()

    def restore(self, revision: str) -> None:
        """The release as it was in one of its revisions."""
        with step(f"going back to revision {revision}"):
            self.run_helm("rollback", RELEASE, revision, "--wait", f"--timeout={TIMEOUT}")

    def replace(self, gateway: objects.Object) -> None:
        """The release's own gateways, exactly so: what was changed outside helm is gone, too."""
        live = json.loads(self.cluster.run("get", f"deployment/{GATEWAY}", "--output=json"))
        self.cluster.replace(objects.replacement(live, gateway))
        self.cluster.run("rollout", "status", f"deployment/{GATEWAY}", f"--timeout={TIMEOUT}")

    def lead(self, part_of: str) -> None:
        """Callers to one side."""
        patch = json.dumps(objects.leads_to(part_of))
        self.cluster.run("patch", f"service/{GATEWAY}", "--type=merge", f"--patch={patch}")
        say(f"callers now reach the pods of {part_of}")

    def remove(self) -> None:
        """Take away what was started alongside the release, if anything was."""
        self.cluster.run("delete", f"deployment/{CANDIDATE}", "--ignore-not-found", "--wait")

    def revision(self) -> str | None:
        """The number of the release's present revision; None where it is not installed."""
        found: list[dict[str, Any]] = json.loads(
            self.run_helm("list", "--deployed", f"--filter=^{RELEASE}$", "--output=json")
        )
        return str(found[0]["revision"]) if found else None

    def run_helm(self, *arguments: str) -> str:
        """helm in the release's namespace. Raises DevclusterError with what it wrote when it fails."""
        return self.cluster.kube.run_helm(*arguments, f"--namespace={self.cluster.namespace}")
