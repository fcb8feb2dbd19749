"""What to look at when something did not come up: reasons, events and logs, so that nobody has to ask for them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from devcluster.errors import DevclusterError
from slipway_demo.conditions import kind_view, pod_troubles
from slipway_demo.kube import Kube

LOG_LINES = 15
DUMPED = (
    "pods,jobs,deployments,statefulsets,services,endpointslices,events,agents.slipway.dev,vectorindexes.slipway.dev"
)


def describe(kube: Kube, namespaces: Iterable[str]) -> str:
    """A page on what is wrong in the namespaces: unready objects, troubled pods with their last words, warnings."""
    lines: list[str] = []
    for namespace in namespaces:
        try:
            lines += _namespace(kube, namespace)
        except DevclusterError as error:
            lines.append(f"{namespace} cannot be looked at: {str(error).splitlines()[-1]}")
    return "\n".join(lines) or "nothing looks wrong in the cluster"


def dump(kube: Kube, namespaces: Iterable[str], folder: Path) -> None:
    """Write objects, events and logs of the namespaces into files, for reading after the cluster is gone."""
    folder.mkdir(parents=True, exist_ok=True)
    for namespace in namespaces:
        where = f"--namespace={namespace}"
        _write(folder / f"{namespace}-objects.yaml", kube, "get", DUMPED, where, "--output=yaml")
        for pod in _pods(kube, namespace):
            name = pod["metadata"]["name"]
            _write(folder / f"{namespace}-{name}.log", kube, "logs", name, where, "--all-containers", "--timestamps")
            if any(c.get("restartCount") for c in pod.get("status", {}).get("containerStatuses", [])):
                _write(folder / f"{namespace}-{name}-previous.log", kube, "logs", name, where, "--previous")


def _namespace(kube: Kube, namespace: str) -> list[str]:
    where = f"--namespace={namespace}"
    lines = []
    if kube.works("get", "crd", "agents.slipway.dev"):
        views = [kind_view(item) for item in kube.items("agents.slipway.dev,vectorindexes.slipway.dev", where)]
        lines += [f"{view.name}: {view.text}" for view in views if not view.ready]
    for pod in _pods(kube, namespace):
        if troubles := pod_troubles([pod]):
            name = pod["metadata"]["name"]
            log = _try(kube, "logs", name, where, f"--tail={LOG_LINES}", "--all-containers")
            lines += [*troubles, *(f"    {line}" for line in log.splitlines())]
    warnings = kube.items("events", where, "--field-selector=type=Warning")
    for event in warnings[-8:]:
        about = event["involvedObject"]
        lines.append(f"warning about {about['kind']} {namespace}/{about['name']}: {event.get('message', '')}")
    return lines


def _pods(kube: Kube, namespace: str) -> list[dict[str, Any]]:
    return kube.items("pods", f"--namespace={namespace}")


def _write(path: Path, kube: Kube, *arguments: str) -> None:
    path.write_text(_try(kube, *arguments))


def _try(kube: Kube, *arguments: str) -> str:
    """Output of kubectl, or why there is none: half a diagnosis is better than none."""
    try:
        return kube.run(*arguments)
    except DevclusterError as error:
        return str(error)
