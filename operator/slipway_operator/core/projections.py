"""The little that the operator keeps of each object it watches.

A cache of whole objects would cost ten times the memory. What decisions need is: whose it is, whether it is still as
applied, and how it does. Raw objects (`dict[str, Any]`, as the API server sends them) come in, frozen dataclasses go
out, and nothing else in the operator reads raw children.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway_crds.contract import STORE_SECRET_PREFIX
from slipway_crds.meta import COMPONENT_LABEL, GROUP
from slipway_crds.registry import OWNER_KINDS
from slipway_operator.core.conditions import epoch
from slipway_operator.core.drift import APPLIED_ANNOTATION, owned_fields
from slipway_operator.core.objects import CONFIG_MAP, DEPLOYMENT, JOB, POD, STATEFUL_SET

SCALED_ANNOTATION = f"{GROUP}/scaled"
EVENT_MESSAGE_MAX = 1024
"""Characters; what Kubernetes itself writes is no longer."""


@dataclass(frozen=True, slots=True)
class ObservedCondition:
    """A condition of somebody else's object; `since` in epoch seconds."""

    holds: bool
    reason: str
    message: str
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentState:
    """How a Deployment does. `replicas` is what it is asked for, the counts what it has."""

    replicas: int
    seen: bool
    """The controller has looked at the newest spec."""
    existing: int
    updated: int
    available: int
    conditions: Mapping[str, ObservedCondition]
    scaled_by: str
    """Field manager that owns `spec.replicas`."""

    @property
    def complete(self) -> bool:
        """Every pod that it is asked for is of the newest template and available, and no other is left."""
        current = self.updated >= self.replicas and self.existing <= self.updated
        return self.seen and current and self.available >= self.replicas > 0

    @property
    def rolling(self) -> bool:
        """Pods of an older template are being replaced."""
        return not self.seen or self.existing > self.updated


@dataclass(frozen=True, slots=True, kw_only=True)
class StatefulSetState:
    """How a StatefulSet does, and the revision that its pods should be of."""

    ready: int
    revision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """How a Job does; `finished` in epoch seconds."""

    succeeded: bool
    failed: bool
    failures: int
    finished: float
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigMapState:
    """The configuration in one of our own ConfigMaps."""

    data: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PodState:
    """How a pod does, in its own words where it has trouble."""

    revision: str
    """Of the agent, by the operator's label; of a StatefulSet, by its controller's."""
    job: str
    phase: str
    ready: bool
    ip: str
    readiness_since: float
    """Since when it has been ready, or has not been; epoch seconds."""
    running_since: float
    """Since when the container has been running; epoch seconds, 0 if it is not."""
    waiting: tuple[str, str]
    """Reason and message of a container that is not running."""
    ended: tuple[str, int, str]
    """Reason, exit code and last words of the container's last end."""
    restarts: int
    unschedulable: str


Detail = DeploymentState | StatefulSetState | JobState | ConfigMapState | PodState | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """One object that the operator made, or a pod of one."""

    kind: str
    namespace: str
    name: str
    uid: str
    version: int
    owner_uid: str
    owner: tuple[str, str]
    """Kind and name of the object that it is for, by its labels; no name where all objects of the kind share it, and
    neither for what belongs to a namespace."""
    deleting: bool
    created: float
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Ours alone."""
    owned: bytes = b""
    store_secret: str = ""
    """The Secret that it, or its pod template, mounts for the store."""
    detail: Detail = None

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.kind, self.namespace, self.name)

    @property
    def applied(self) -> str:
        return self.annotations.get(APPLIED_ANNOTATION, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class CreationEvent:
    """An Event that says that a pod or a volume was created, or was not; `at` in epoch seconds."""

    failed: bool
    at: float
    message: str


def creation_events(raw: Iterable[Mapping[str, Any]]) -> list[CreationEvent]:
    """What Events say about creations. One of which the time cannot be read is left out: anybody may write Events."""
    found = []
    for event in raw:
        at = _event_time(event)
        if at is not None and event.get("reason") in ("FailedCreate", "SuccessfulCreate"):
            message = str(event.get("message") or event.get("note") or "")[:EVENT_MESSAGE_MAX]
            found.append(CreationEvent(failed=event["reason"] == "FailedCreate", at=at, message=message))
    return found


def _event_time(event: Mapping[str, Any]) -> float | None:
    series = event.get("series") or {}
    time = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    try:
        return epoch(str(time))
    except (ValueError, OverflowError):
        return None


def project(kind: str, raw: Mapping[str, Any]) -> Child:
    """A watched child as the cache keeps it."""
    metadata = raw["metadata"]
    return Child(
        kind=kind,
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        version=int(metadata["resourceVersion"]),
        owner_uid=_controller_uid(metadata),
        owner=_owner(metadata.get("labels") or {}),
        deleting="deletionTimestamp" in metadata,
        created=epoch(metadata["creationTimestamp"]),
        annotations={
            key: value for key, value in (metadata.get("annotations") or {}).items() if key.startswith(f"{GROUP}/")
        },
        owned=owned_fields(metadata.get("managedFields") or ()),
        store_secret=_store_secret(raw.get("spec") or {}),
        detail=_detail(kind, raw),
    )


def _store_secret(spec: Mapping[str, Any]) -> str:
    """Of a pod, or of what has a template of one."""
    pod = (spec.get("template") or {}).get("spec") or spec
    names = (str((volume.get("secret") or {}).get("secretName", "")) for volume in pod.get("volumes") or ())
    return next((name for name in names if name.startswith(STORE_SECRET_PREFIX)), "")


def _controller_uid(metadata: Mapping[str, Any]) -> str:
    owners = metadata.get("ownerReferences") or ()
    return next((str(owner["uid"]) for owner in owners if owner.get("controller")), "")


def _owner(labels: Mapping[str, str]) -> tuple[str, str]:
    """Kind and name of the object that a child is for; no name where all objects of the kind share it, and neither for
    what belongs to a namespace as a whole."""
    found = ((kind.name, labels[kind.label]) for kind in OWNER_KINDS.values() if kind.label in labels)
    component = labels.get(COMPONENT_LABEL)
    shared = ((kind.name, "") for kind in OWNER_KINDS.values() if kind.shares and kind.shares == component)
    return next(found, next(shared, ("", "")))


def _detail(kind: str, raw: Mapping[str, Any]) -> Detail:
    spec, status = raw.get("spec") or {}, raw.get("status") or {}
    if kind == DEPLOYMENT.name:
        return _deployment(raw["metadata"], spec, status)
    if kind == STATEFUL_SET.name:
        return StatefulSetState(
            ready=int(status.get("readyReplicas", 0)), revision=str(status.get("updateRevision", ""))
        )
    if kind == JOB.name:
        return _job(status)
    if kind == CONFIG_MAP.name:
        return ConfigMapState(data=raw.get("data") or {})
    if kind == POD.name:
        return _pod(raw["metadata"], status)
    return None


def _deployment(metadata: Mapping[str, Any], spec: Mapping[str, Any], status: Mapping[str, Any]) -> DeploymentState:
    return DeploymentState(
        replicas=int(spec.get("replicas", 1)),
        seen=int(status.get("observedGeneration", 0)) >= int(metadata.get("generation", 0)),
        existing=int(status.get("replicas", 0)),
        updated=int(status.get("updatedReplicas", 0)),
        available=int(status.get("availableReplicas", 0)),
        conditions=_conditions(status),
        scaled_by=_owner_of_replicas(metadata.get("managedFields") or ()),
    )


def _owner_of_replicas(managed_fields: Any) -> str:
    for entry in managed_fields:
        if "f:replicas" in (entry.get("fieldsV1") or {}).get("f:spec", {}):
            return str(entry.get("manager", ""))
    return ""


def _conditions(status: Mapping[str, Any]) -> dict[str, ObservedCondition]:
    return {
        condition["type"]: ObservedCondition(
            holds=condition.get("status") == "True",
            reason=condition.get("reason", ""),
            message=condition.get("message", ""),
            since=epoch(condition["lastTransitionTime"]) if condition.get("lastTransitionTime") else 0.0,
        )
        for condition in status.get("conditions") or ()
    }


def _job(status: Mapping[str, Any]) -> JobState:
    conditions = _conditions(status)
    complete, failed = conditions.get("Complete"), conditions.get("Failed")
    ended = complete or failed
    return JobState(
        succeeded=complete is not None and complete.holds,
        failed=failed is not None and failed.holds,
        failures=int(status.get("failed", 0)),
        finished=ended.since if ended else 0.0,
        message=failed.message if failed else "",
    )


def _pod(metadata: Mapping[str, Any], status: Mapping[str, Any]) -> PodState:
    labels = metadata.get("labels") or {}
    conditions = _conditions(status)
    scheduled = conditions.get("PodScheduled")
    # Of several containers the one that keeps the pod from being ready, if there is one.
    containers: list[Mapping[str, Any]] = sorted(
        status.get("containerStatuses") or (), key=lambda each: bool(each.get("ready"))
    )
    container: Mapping[str, Any] = next(iter(containers), {})
    state, last = container.get("state") or {}, container.get("lastState") or {}
    running, waiting = state.get("running") or {}, state.get("waiting") or {}
    ended = state.get("terminated") or last.get("terminated") or {}
    return PodState(
        revision=labels.get(f"{GROUP}/revision") or labels.get("controller-revision-hash", ""),
        job=labels.get("batch.kubernetes.io/job-name", ""),
        phase=status.get("phase", "Pending"),
        ready="Ready" in conditions and conditions["Ready"].holds,
        ip=status.get("podIP", ""),
        readiness_since=conditions["Ready"].since if "Ready" in conditions else epoch(metadata["creationTimestamp"]),
        running_since=epoch(running["startedAt"]) if running.get("startedAt") else 0,
        waiting=(waiting.get("reason", ""), waiting.get("message", "")),
        ended=(ended.get("reason", ""), int(ended.get("exitCode", 0)), ended.get("message", "")),
        restarts=int(container.get("restartCount", 0)),
        unschedulable=scheduled.message if scheduled and not scheduled.holds else "",
    )
