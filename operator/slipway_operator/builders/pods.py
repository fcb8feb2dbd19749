"""What the pods of agents, indexes and ingestions have in common: nothing that runs gets more rights than it needs.

Every pod passes the restricted Pod Security Standard: not root, read-only root file system, no capabilities, no token.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from slipway_operator.builders.inputs import POD_USER, BuildSettings
from slipway_operator.manifests import JsonObject

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


def pod_spec(
    settings: BuildSettings, *, service_account: str, container: JsonObject, volumes: Sequence[JsonObject]
) -> JsonObject:
    """A pod of one container, with a writable `/tmp` and, where the chart names one, the CA bundle."""
    spec: JsonObject = {
        "serviceAccountName": service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(),
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}, *volumes, *_ca_volumes(settings)],
    }
    if settings.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in settings.image_pull_secrets]
    return spec


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
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period,
        "failureThreshold": failures,
        "timeoutSeconds": timeout,
    }


def merge_resources(default: Mapping[str, Any], override: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Requests and limits of the resource, with what it leaves open taken from the chart."""
    merged: dict[str, dict[str, str]] = {}
    for side in ("requests", "limits"):
        values = {**dict(default.get(side) or {}), **override.get(side, {})}
        if values:
            merged[side] = {name: str(value) for name, value in values.items()}
    return merged


def _ca_volumes(settings: BuildSettings) -> list[JsonObject]:
    if not settings.ca_config_map:
        return []
    return [{"name": "ca", "configMap": {"name": settings.ca_config_map, "optional": True}}]


def _ca_mounts(settings: BuildSettings) -> list[JsonObject]:
    return [read_only("ca", "/etc/slipway/ca")] if settings.ca_config_map else []
