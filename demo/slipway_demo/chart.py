"""Installing, upgrading and removing the chart, as a user would with helm."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from devcluster.progress import step
from slipway_demo.kube import Kube
from slipway_demo.paths import CHART

RELEASE = "slipway"
NAMESPACE = "slipway-system"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
MADE_BY_DEMO = {"slipway.dev/made-by": "demo"}
"""Distinguishes a namespace of ours, which may be deleted again, from one that was there before."""


def image_values(registry: str, tags: Mapping[str, str]) -> dict[str, Any]:
    """Chart values that name images."""
    return {"image": {"registry": registry, "tags": dict(tags)}}


def install(kube: Kube, values: Mapping[str, Any], *, chart: Path = CHART) -> None:
    """Install the release or upgrade it, in a namespace that enforces the restricted Pod Security Standard.

    Returns as soon as the objects are written; whoever needs running pods waits for them and can say what they see.
    """
    kube.apply([namespace(NAMESPACE)])
    with tempfile.TemporaryDirectory() as folder, step("installing the chart"):
        file = Path(folder, "values.json")  # JSON is YAML
        file.write_text(json.dumps(values))
        kube.run_helm("upgrade", "--install", RELEASE, str(chart), f"--namespace={NAMESPACE}", f"--values={file}")


def uninstall(kube: Kube) -> None:
    """Remove the release; the kinds, the agents and the store's volume stay."""
    kube.run_helm("uninstall", RELEASE, f"--namespace={NAMESPACE}", "--ignore-not-found", "--wait")


def namespace(name: str) -> dict[str, Any]:
    """A namespace that lets no privileged pod in, marked as made here."""
    labels = {**RESTRICTED, **MADE_BY_DEMO}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
