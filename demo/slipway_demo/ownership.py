"""What of a cluster is the demo's, and what was there before: on somebody's own cluster only the former may be touched.

The namespaces that `up` makes carry a label. Where the release's namespace carries it, the kinds are the demo's too:
`up` refuses a cluster that has the kinds but not that namespace.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from slipway_demo import chart
from slipway_demo.kube import Kube

NAMESPACE = "demo"
NAMESPACES = (NAMESPACE, chart.NAMESPACE)
GROUP = "slipway.dev"

Objects = Iterable[Mapping[str, Any]]
"""Objects as kubectl prints them."""


@dataclass(frozen=True)
class Inventory:
    """What is in a cluster under the names that the demo uses."""

    ours: tuple[str, ...]
    """Namespaces that `up` made."""
    strangers: tuple[str, ...]
    """Namespaces of these names that somebody else made."""
    kinds: tuple[str, ...]
    """Names of Slipway's CustomResourceDefinitions, whoever made them."""

    @property
    def release_is_ours(self) -> bool:
        """Whether release and kinds were installed by `up`."""
        return chart.NAMESPACE in self.ours


def look(kube: Kube) -> Inventory:
    """Ask the cluster. Raises DevclusterError when it does not answer: not knowing is not the same as nothing there."""
    return found(kube.items("namespaces"), kube.items("customresourcedefinitions"))


def found(namespaces: Objects, definitions: Objects) -> Inventory:
    """Sort what `kubectl get` returned."""
    labels = {item["metadata"]["name"]: item["metadata"].get("labels", {}) for item in namespaces}
    there = [name for name in NAMESPACES if name in labels]
    ours = tuple(name for name in there if chart.MADE_BY_DEMO.items() <= labels[name].items())
    return Inventory(
        ours=ours,
        strangers=tuple(name for name in there if name not in ours),
        kinds=tuple(sorted(item["metadata"]["name"] for item in definitions if item["spec"]["group"] == GROUP)),
    )


def refusal(there: Inventory) -> str | None:
    """Why `up` must not touch the cluster and what to do about it, or None."""
    if there.strangers:
        return (
            f"this cluster has {_listed(there.strangers)} already, and not from the demo, which would take "
            f"over what is in there. Use another cluster, or delete what you do not need. {adoption(there)}"
        )
    if there.kinds and not there.release_is_ours:
        return (
            "Slipway's kinds are in this cluster already, and not from the demo, which would replace them. Use another "
            "cluster; or, if nobody needs them, delete them with all their agents and indexes: "
            f"kubectl delete customresourcedefinition {' '.join(there.kinds)}"
        )
    return None


def adoption(there: Inventory) -> str:
    """How somebody says that namespaces without the label are the demo's all the same."""
    label = ",".join(f"{key}={value}" for key, value in chart.MADE_BY_DEMO.items())
    command = f"kubectl label namespace {' '.join(there.strangers)} {label}"
    return f"If the demo made that after all (older versions set no label): {command}"


def elsewhere(objects: Objects, there: Inventory) -> str | None:
    """Why the kinds must stay: agents and indexes outside the demo's own namespace would go with them. None if none."""
    homes = {str(item["metadata"]["namespace"]) for item in objects}
    others = sorted(homes - ({NAMESPACE} & set(there.ours)))
    if not others:
        return None
    return (
        f"agents or indexes that the demo did not make are in {', '.join(others)}; removing the kinds would delete "
        "them. Delete them yourself, then call this again."
    )


def _listed(names: Iterable[str]) -> str:
    return " and ".join(f"the namespace {name}" for name in names)
