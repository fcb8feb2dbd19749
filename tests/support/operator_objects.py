"""Children as the API server sends them, for tests that have none."""

from typing import Any

from slipway_operator.agents.builders import STATE_ANNOTATION

CREATED = "2027-01-15T08:00:00Z"


def raw(kind: str, name: str, **more: Any) -> dict[str, Any]:
    """An object of ours in `demo`, for the Agent `support`."""
    metadata = {
        "name": name,
        "namespace": "demo",
        "uid": f"uid-{name}",
        "resourceVersion": "10",
        "generation": 1,
        "creationTimestamp": CREATED,
        "labels": {"slipway.dev/agent": "support", "slipway.dev/revision": name},
        "ownerReferences": [{"uid": "uid-1", "controller": True}],
        **more.pop("metadata", {}),
    }
    return {"kind": kind, "metadata": metadata, **more}


def deployment(
    name: str,
    *,
    replicas: int = 1,
    available: int | None = None,
    updated: int | None = None,
    existing: int | None = None,
    state: str = "Serving",
    annotations: dict[str, str] | None = None,
    conditions: list[dict[str, Any]] | None = None,
    scaled_by: str = "",
    created: str = CREATED,
) -> dict[str, Any]:
    """A Deployment; all of its pods are available unless said otherwise."""
    status = {
        "observedGeneration": 1,
        "replicas": replicas if existing is None else existing,
        "updatedReplicas": replicas if updated is None else updated,
        "availableReplicas": replicas if available is None else available,
        "conditions": conditions or [],
    }
    managers = [{"manager": scaled_by, "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]
    metadata = {
        "annotations": {STATE_ANNOTATION: state, **(annotations or {})},
        "creationTimestamp": created,
        "managedFields": managers if scaled_by else [],
    }
    return raw("Deployment", name, metadata=metadata, spec={"replicas": replicas}, status=status)
