"""Looking into rendered objects."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Object = Mapping[str, Any]
RESTRICTED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def find(objects: Iterable[Object], kind: str, name: str) -> Any:
    """The one object of that kind and name."""
    found = [item for item in objects if item["kind"] == kind and item["metadata"]["name"] == name]
    assert len(found) == 1, f"{len(found)} objects are {kind} {name}"
    return found[0]


def pod_specs(objects: Iterable[Object]) -> Iterator[tuple[str, Any]]:
    """Name and pod specification of everything that makes pods, and of pods."""
    for item in objects:
        name = f"{item['kind']} {item['metadata']['name']}"
        if item["kind"] == "Pod":
            yield name, item["spec"]
        elif "template" in item.get("spec", {}) and item["kind"] != "CustomResourceDefinition":
            yield name, item["spec"]["template"]["spec"]


def environment(pod_spec: Object) -> dict[str, str]:
    """Plain environment variables of a pod's first container."""
    return {entry["name"]: entry["value"] for entry in pod_spec["containers"][0].get("env", []) if "value" in entry}


def restricted_problems(pod_spec: Object) -> list[str]:
    """What the restricted Pod Security Standard would say, and a writable root, which it would not.

    https://kubernetes.io/docs/concepts/security/pod-security-standards/
    """
    problems = [f"{key} is set" for key in ("hostNetwork", "hostPID", "hostIPC") if pod_spec.get(key)]
    pod = pod_spec.get("securityContext", {})
    if pod.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        problems.append("no seccomp profile")
    if pod.get("runAsNonRoot") is not True or not pod.get("runAsUser"):
        problems.append("may run as root")
    problems += [f"volume {v['name']} is a hostPath" for v in pod_spec.get("volumes", []) if "hostPath" in v]
    for container in [*pod_spec["containers"], *pod_spec.get("initContainers", [])]:
        own = container.get("securityContext", {})
        expected = {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        problems += [f"{container['name']}: {key}" for key, value in expected.items() if own.get(key) != value]
    return problems
