"""What the operator's pure tests start from."""

from typing import Any

from slipway_crds.agents.model import Agent
from slipway_crds.indexes.model import VectorIndex
from slipway_crds.plugins.model import Plugin
from slipway_crds.workflows.model import Workflow
from slipway_operator.core.cache import Resource, ResourceKey
from slipway_operator.core.inputs import BuildSettings, Owner
from tests.support import operator_manifests as manifests

SETTINGS = BuildSettings(
    runtime_image="slipway.local/runtime:1",
    chroma_image="slipway.local/chroma:1",
    host_resources={"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}},
    identity_anchor="cHVibGlj",
)
FULL_SETTINGS = BuildSettings(
    runtime_image="registry.test/runtime:1",
    chroma_image="registry.test/chroma:1",
    image_pull_secrets=("pull",),
    image_pull_policy="Always",
    host_resources={"requests": {"cpu": "100m"}},
    index_resources={"requests": {"cpu": "50m"}},
    ingest_resources={"limits": {"memory": "1Gi"}},
    pod_env=(
        {"name": "HTTPS_PROXY", "value": "http://proxy.test:3128"},
        {"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://collector.test:4318"},
    ),
    ca_config_map="ca",
    identity_anchor="cHVibGlj",
    store_port=6432,
)
NOW = 1_800_000_000.0


def owner(kind: str = "Agent", name: str = "support") -> Owner:
    """Whom objects are built for."""
    return Owner(kind=kind, namespace="demo", name=name, uid="uid-1")


def agent(**spec: Any) -> Agent:
    """An Agent `support` in `demo`."""
    return Agent.model_validate(manifests.agent("demo", **spec))


def index(**spec: Any) -> VectorIndex:
    """A VectorIndex `handbook` in `demo`."""
    return VectorIndex.model_validate(manifests.index("demo", **spec))


def resource(
    model: Agent | Plugin | VectorIndex | Workflow, *, status: dict[str, Any] | None = None, **changes: Any
) -> Resource:
    """The model as the cache has it."""
    fields: dict[str, Any] = {
        "key": ResourceKey(model.kind, model.metadata.namespace, model.metadata.name),
        "uid": "uid-1",
        "version": 1,
        "generation": 1,
        "deleting_since": "",
        "finalizers": (),
        "paused": False,
        "model": model,
        "error": "",
        "status": status or {},
    }
    return Resource(**{**fields, **changes})
