"""Reading what objects say about themselves. Pure: takes parsed objects, returns words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]


@dataclass(frozen=True)
class ObjectSummary:
    """One object in a line."""

    name: str
    ready: bool
    text: str


def kind_view(item: Object) -> ObjectSummary:
    """An Agent or a VectorIndex. It counts as ready only when the status is about the newest spec."""
    status = item.get("status", {})
    current = status.get("observedGeneration", -1) >= item["metadata"].get("generation", 0)
    condition = next((c for c in status.get("conditions", []) if c["type"] == "Ready"), None)
    name = f"{item['kind']} {item['metadata']['name']}"
    if condition is None or not current:
        return ObjectSummary(name, ready=False, text="not looked at yet")
    stalled = next((c for c in status["conditions"] if c["type"] == "Stalled" and c["status"] == "True"), None)
    words = [(stalled or condition)["reason"], status.get("progress") or (stalled or condition).get("message", "")]
    return ObjectSummary(name, ready=condition["status"] == "True", text=": ".join(word for word in words if word))


def index_view(item: Object, sources: Iterable[Object]) -> ObjectSummary:
    """A VectorIndex, which counts as ready only when it was ingested after its source ConfigMaps last changed."""
    view = kind_view(item)
    names = {source["configMap"]["name"] for source in item["spec"]["sources"]}
    changes = [last_change(source) for source in sources if source["metadata"]["name"] in names]
    synced = item.get("status", {}).get("lastSyncedTime", "")
    # Both are RFC 3339 in UTC, so they compare as text.
    if view.ready and any(change > synced for change in changes):
        return ObjectSummary(
            view.name, ready=False, text=item["status"].get("progress") or "older documents are being replaced"
        )
    return view


def last_change(item: Object) -> str:
    """When anybody last wrote the object."""
    entries = item["metadata"].get("managedFields", [])
    return max((str(entry.get("time", "")) for entry in entries), default="")


def workload_view(item: Object) -> ObjectSummary:
    """A Deployment or StatefulSet: ready when all replicas of the newest template are."""
    desired, status = item["spec"].get("replicas", 1), item.get("status", {})
    current = status.get("observedGeneration", -1) >= item["metadata"].get("generation", 0)
    updated, ready = status.get("updatedReplicas", 0), status.get("readyReplicas", 0)
    # A replica of the old template may still count as ready; the new ones are all up when nothing is unavailable.
    done = current and updated >= desired and ready >= desired and status.get("replicas", 0) == desired
    return ObjectSummary(
        f"{item['kind']} {item['metadata']['name']}", ready=done, text=f"{min(ready, updated)} of {desired} ready"
    )


def pod_troubles(pods: Iterable[Object]) -> list[str]:
    """One line for each pod that is not well, with the reason that the cluster gives."""
    lines = []
    for pod in pods:
        where = f"pod {pod['metadata']['namespace']}/{pod['metadata']['name']}"
        status = pod.get("status", {})
        for condition in status.get("conditions", []):
            if condition["type"] == "PodScheduled" and condition["status"] == "False":
                lines.append(f"{where}: {condition.get('reason')}: {condition.get('message')}")
        containers = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
        lines += [f"{where}: {text}" for container in containers if (text := container_trouble(container))]
    return lines


def container_trouble(container: Object) -> str:
    """Why a container is not well; empty when it is."""
    state, last = container.get("state", {}), container.get("lastState", {})
    if (waiting := state.get("waiting")) and waiting.get("reason") != "PodInitializing":
        detail = (last.get("terminated") or waiting).get("message") or ""
        return f"{waiting.get('reason')} {detail}".strip()
    if (ended := state.get("terminated")) and ended.get("exitCode"):
        return f"ended with status {ended['exitCode']} {ended.get('reason', '')} {ended.get('message', '')}".strip()
    if "running" in state and not container.get("ready", True):
        return "running, but not ready"
    return ""
