"""What the pods of agents, indexes and ingestions have in common: nothing that runs gets more rights than it needs.

Every pod passes the restricted Pod Security Standard: not root, read-only root file system, no capabilities, no token.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from slipway_crds.contract import HTTP_PORT_NAME
from slipway_crds.podsettings import PodSettings
from slipway_operator.core.inputs import POD_USER, BuildSettings
from slipway_operator.core.manifests import JsonObject

CONTAINER_SECURITY: JsonObject = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def pod_security() -> JsonObject:
    """The pod's security context; the group lets it write to its volumes."""
    return {
        "runAsNonRoot": True,
        "runAsUser": POD_USER,
        "runAsGroup": POD_USER,
        "fsGroup": POD_USER,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def pod_template(labels: Mapping[str, str], spec: JsonObject, pod: PodSettings | None) -> JsonObject:
    """The template of a pod with what its user puts on it. `labels` are Slipway's own and win."""
    pod = pod or PodSettings()
    metadata: JsonObject = {"labels": {**(pod.labels or {}), **labels}}
    if pod.annotations:
        metadata["annotations"] = dict(pod.annotations)
    return {"metadata": metadata, "spec": spec}


def pod_spec(
    settings: BuildSettings,
    *,
    service_account: str,
    container: JsonObject,
    volumes: Sequence[JsonObject],
    pod: PodSettings | None,
    apart: Mapping[str, str] | None = None,
    before: Sequence[JsonObject] = (),
) -> JsonObject:
    """A pod of one container, with a writable `/tmp` and, where the chart names one, the CA bundle. The containers
    `before` it run first, one after the other.

    Pods with the labels `apart` prefer to be on different nodes and in different zones.
    """
    pod = pod or PodSettings()
    spec: JsonObject = {
        "serviceAccountName": pod.service_account_name or service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(),
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}, *volumes, *_ca_volumes(settings)],
    }
    pull_secrets = [*settings.image_pull_secrets, *(secret.name for secret in pod.image_pull_secrets or ())]
    optional: JsonObject = {
        "initContainers": list(before),
        "imagePullSecrets": [{"name": name} for name in dict.fromkeys(pull_secrets)],
        "priorityClassName": pod.priority_class_name,
        "nodeSelector": pod.node_selector,
        "tolerations": _without_nulls(pod.tolerations),
        "affinity": {**_anti_affinity(apart), **(_without_nulls(pod.affinity) or {})},
        "topologySpreadConstraints": _without_nulls(pod.topology_spread_constraints),
    }
    # What is empty is left out: the API server drops it, and no entry of `managedFields` would cover it.
    return spec | {name: value for name, value in optional.items() if value}


def _anti_affinity(apart: Mapping[str, str] | None) -> JsonObject:
    """Preferred, so that one node is enough.

    Not a spread constraint: with one for zones, the scheduler leaves nodes without a zone out of all of its scoring.
    """
    if apart is None:
        return {}
    keys = {"kubernetes.io/hostname": 100, "topology.kubernetes.io/zone": 50}
    terms = [
        {"weight": weight, "podAffinityTerm": {"topologyKey": key, "labelSelector": {"matchLabels": dict(apart)}}}
        for key, weight in keys.items()
    ]
    return {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": terms}}


def _without_nulls(value: Any) -> Any:
    """What is passed through, as the API server keeps it: in an object null stands for absent."""
    if isinstance(value, Mapping):
        return {name: _without_nulls(child) for name, child in value.items() if child is not None}
    if isinstance(value, list):
        return [_without_nulls(child) for child in value]
    return value


def container(
    settings: BuildSettings,
    *,
    name: str,
    image: str,
    ports: Mapping[str, int],
    env: Sequence[Mapping[str, object]] = (),
    mounts: Sequence[JsonObject] = (),
    resources: Mapping[str, object],
    more: Mapping[str, object],
) -> JsonObject:
    """One container. Its last words become the pod's termination message, so that a status can quote them.

    `ports` are by name; `more` is what only this container has.
    """
    built: JsonObject = {
        "name": name,
        "image": image,
        "imagePullPolicy": settings.image_pull_policy,
        "ports": [{"name": port_name, "containerPort": port, "protocol": "TCP"} for port_name, port in ports.items()],
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, *mounts, *_ca_mounts(settings)],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": CONTAINER_SECURITY,
        **more,
    }
    variables = [dict(variable) for variable in (*env, *settings.pod_env)]
    if variables:
        built["env"] = variables
    if resources:
        built["resources"] = dict(resources)
    return built


def read_only(volume: str, path: str) -> JsonObject:
    """A mount that the container cannot write to."""
    return {"name": volume, "mountPath": path, "readOnly": True}


def http_probe(path: str, *, period: int, failures: int, timeout: int = 3) -> JsonObject:
    """A probe of the container's `http` port; times in seconds."""
    return {
        "httpGet": {"path": path, "port": HTTP_PORT_NAME},
        "periodSeconds": period,
        "failureThreshold": failures,
        "timeoutSeconds": timeout,
    }


def resources(default: Mapping[str, Any], pod: PodSettings | None) -> dict[str, dict[str, str]]:
    """Requests and limits of the resource, with what it leaves open taken from the chart."""
    given = pod.resources.model_dump(exclude_none=True) if pod is not None and pod.resources is not None else {}
    merged: dict[str, dict[str, str]] = {}
    for side in ("requests", "limits"):
        values = {**dict(default.get(side) or {}), **given.get(side, {})}
        if values:
            merged[side] = {name: str(value) for name, value in values.items()}
    return merged


def _ca_volumes(settings: BuildSettings) -> list[JsonObject]:
    if not settings.ca_config_map:
        return []
    return [{"name": "ca", "configMap": {"name": settings.ca_config_map, "optional": True}}]


def _ca_mounts(settings: BuildSettings) -> list[JsonObject]:
    return [read_only("ca", "/etc/slipway/ca")] if settings.ca_config_map else []
