"""The manifests that the operator's tests apply."""

from typing import Any

TEXTS = {
    "a.md": "# Drains\n\nA pod that drains takes no new question. It finishes what it has and then goes away.\n",
    "b.md": "# Scores\n\nAn answer that scores below the threshold is not given. The agent abstains instead.\n",
}

POD: dict[str, Any] = {
    "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "1Gi"}},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [
        {"key": "dedicated", "operator": "Equal", "value": "agents", "effect": "NoSchedule"},
        {"key": "flaky", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30},
        {"operator": "Exists", "key": "short", "effect": None},
    ],
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "no-such-label", "operator": "DoesNotExist"}]}]
            },
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 1, "preference": {"matchExpressions": [{"key": "fast", "operator": "Exists"}]}}
            ],
        },
        "podAffinity": None,
    },
    "topologySpreadConstraints": [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchExpressions": [{"key": "team", "operator": "In", "values": ["search"]}]},
            "matchLabelKeys": ["tier"],
        },
    ],
    "priorityClassName": "agents",
    "imagePullSecrets": [{"name": "registry"}],
    "labels": {"team": "search", "tier": "front"},
    "annotations": {"example.com/owner": "search"},
    "serviceAccountName": "search",
}
"""Everything that may be put on pods, with what the API server fills in or leaves out. It keeps pods off no node, where
there are the PriorityClass and the ServiceAccount."""


def agent(namespace: str, name: str = "support", *, min_score: str = "0.45", **spec: Any) -> dict[str, Any]:
    """An Agent that reads the index `handbook`."""
    knowledge = [{"name": "handbook", "indexRef": {"name": "handbook"}, "minScore": min_score}]
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "Agent",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"knowledge": knowledge, **spec},
    }


def index(namespace: str, name: str = "handbook", **spec: Any) -> dict[str, Any]:
    """A VectorIndex over the ConfigMap `documents`."""
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "VectorIndex",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "backend": {"chroma": {}},
            "sources": [{"name": "docs", "configMap": {"name": "documents"}}],
            **spec,
        },
    }


def documents(namespace: str, **data: str) -> dict[str, Any]:
    """The ConfigMap with the documents."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "documents", "namespace": namespace},
        "data": data or TEXTS,
    }
