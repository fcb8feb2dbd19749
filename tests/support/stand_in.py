"""Stand-ins for paid models as pods of a cluster: `tests.support.zoo`, run by the runtime image's Python."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support import model_server, model_wire, model_wire_clouds, zoo
from tests.support.cluster import Installation

PORT = 8000
"""Of the pods; their Services have the port 80."""
SOURCES = "stand-in-for-models"
USER = 65532
MODULES = (zoo, model_server, model_wire, model_wire_clouds)


def sources(namespace: str) -> dict[str, Any]:
    """The ConfigMap with the program."""
    texts = {Path(module.__file__ or "").name: Path(module.__file__ or "").read_text() for module in MODULES}
    metadata = {"name": SOURCES, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": texts}


def stand_in(installation: Installation, namespace: str, name: str, *arguments: str) -> list[dict[str, Any]]:
    """A Deployment and the Service http://NAME.NAMESPACE.svc, with what `tests.support.zoo` takes."""
    labels = {"app": name, "example.com/role": SOURCES}
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 0,
        "securityContext": {"runAsNonRoot": True, "runAsUser": USER, "seccompProfile": {"type": "RuntimeDefault"}},
        "volumes": [{"name": "sources", "configMap": {"name": SOURCES}}],
        "containers": [_container(installation, arguments)],
    }
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec},
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": labels, "ports": ports}},
    ]


def _container(installation: Installation, arguments: Sequence[str]) -> Mapping[str, Any]:
    return {
        "name": "model",
        "image": f"slipway.local/runtime:{installation.tags['runtime']}",
        "command": ["python3", "-m", "tests.support.zoo", "--host=0.0.0.0", f"--port={PORT}", *arguments],
        "env": [{"name": "PYTHONPATH", "value": "/stand-in"}],
        "ports": [{"name": "http", "containerPort": PORT}],
        "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "sources", "mountPath": "/stand-in/tests/support", "readOnly": True}],
    }


def paid(installation: Installation, namespace: str, name: str) -> list[Mapping[str, str]]:
    """The requests that a provider would have been paid for, in their order: the model and the key of each."""
    lines = installation.kube.run("logs", f"deployment/{name}", f"--namespace={namespace}").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def entry(name: str, server: str, namespace: str, *, model: str = "zoo-1", **fields: Any) -> dict[str, Any]:
    """An entry of `spec.models` that leads to a stand-in."""
    url = f"http://{server}.{namespace}.svc/v1"
    return {"name": name, "provider": "openai-compatible", "model": model, "baseURL": url, **fields}


def egress(namespace: str) -> list[dict[str, Any]]:
    """The entry of `spec.egress` that opens the stand-ins."""
    return [{"namespace": namespace, "podLabels": {"example.com/role": SOURCES}, "ports": [PORT]}]
