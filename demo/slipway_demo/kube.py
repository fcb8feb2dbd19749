"""kubectl and helm, bound to one cluster, so that no command can reach another by accident."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from devcluster.commands import run, succeeds


@dataclass(frozen=True)
class Kube:
    """The two tools with the options that name the cluster."""

    kubectl: tuple[str, ...]
    helm: tuple[str, ...]

    def run(self, *arguments: str) -> str:
        """Run kubectl. Raises DevclusterError with what it wrote when it fails."""
        return run([*self.kubectl, *arguments])

    def works(self, *arguments: str) -> bool:
        """Whether kubectl ends well."""
        return succeeds([*self.kubectl, *arguments])

    def get(self, *arguments: str) -> dict[str, Any]:
        """`kubectl get ... -o json`, parsed."""
        found: dict[str, Any] = json.loads(self.run("get", *arguments, "--output=json"))
        return found

    def items(self, *arguments: str) -> list[dict[str, Any]]:
        """The items of a list of objects."""
        return list(self.get(*arguments)["items"])

    def apply(self, manifests: Sequence[Mapping[str, Any]]) -> None:
        """Apply objects server-side."""
        text = yaml.safe_dump_all([dict(manifest) for manifest in manifests], sort_keys=False)
        run([*self.kubectl, "apply", "--server-side", "--field-manager=slipway-demo", "--filename=-"], stdin=text)

    def run_helm(self, *arguments: str) -> str:
        """Run helm. Raises DevclusterError with what it wrote when it fails."""
        return run([*self.helm, *arguments])
