"""What every kind has around its spec: group, version, metadata, conditions."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from slipway_crds.fields import (
    HINTS,
    NAME_MAX,
    NAME_PATTERN,
    LocalStatement,
    Rule,
    StatusModel,
    complete_schema,
    matches,
)

GROUP = "slipway.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

DEFAULT_NAMESPACE = "default"
"""Where an object without a namespace goes, as with kubectl and a fresh context."""

PAUSED_ANNOTATION = f"{GROUP}/paused"
INGEST_ANNOTATION = f"{GROUP}/ingest"
"""On a VectorIndex: another value starts an ingestion."""
SERVE_ANNOTATION = f"{GROUP}/serve-revision"
"""On a VectorIndex: the revision that agents read in place of the one that the spec describes; `previous` is the one
that they read before."""
AGENT_LABEL = f"{GROUP}/agent"
REVISION_LABEL = f"{GROUP}/revision"
INDEX_LABEL = f"{GROUP}/index"
PLUGIN_LABEL = f"{GROUP}/plugin"
WORKFLOW_LABEL = f"{GROUP}/workflow"
COMPONENT_LABEL = f"{GROUP}/component"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "slipway"


class Metadata(BaseModel):
    """The part of Kubernetes' object metadata that Slipway reads; everything else is kept out of the models."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    name: str
    namespace: str = DEFAULT_NAMESPACE
    uid: str = ""
    generation: int = 0
    annotations: dict[str, str] = Field(default_factory=dict)
    labels: dict[str, str] = Field(default_factory=dict)


Phase = Literal["Pending", "Progressing", "Ready", "Degraded", "Stalled", "Paused"]


class Condition(StatusModel):
    """One condition, as kstatus and `kubectl wait` read it (`metav1.Condition`)."""

    type: Annotated[str, Field(max_length=64)]
    """Name of the condition."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: Annotated[str, Field(max_length=128)]
    """One stable PascalCase word for why."""
    message: Annotated[str, Field(max_length=4096)]
    """What is so, and what to do about it."""
    last_transition_time: datetime
    """When the status last changed."""
    observed_generation: int
    """Generation of the spec that this is about."""


OBJECT_NAME = Rule(
    cel=f"self.metadata.name.size() <= {NAME_MAX} && self.metadata.name.matches('{NAME_PATTERN}')",
    message=f"must be at most {NAME_MAX} {HINTS[NAME_PATTERN]}",
    holds=lambda manifest: (
        len(manifest["metadata"]["name"]) <= NAME_MAX and matches(NAME_PATTERN, manifest["metadata"]["name"])
    ),
    field="metadata.name",
)
"""Stricter than Kubernetes itself is with the names of custom resources."""

READY_COLUMNS: tuple[dict[str, Any], ...] = (
    {"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].status"},
    {"name": "Reason", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].reason"},
)
AGE_COLUMN: dict[str, Any] = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}


class CustomObject(BaseModel):
    """An object as it is in a manifest or on the API server. A kind adds `kind`, `spec` and `status`."""

    model_config = ConfigDict(
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        use_attribute_docstrings=True,
        json_schema_extra=complete_schema,
    )
    metadata: Metadata
    """Kubernetes' object metadata."""

    local: ClassVar[LocalStatement | None] = None
    rules: ClassVar[tuple[Rule, ...]] = (OBJECT_NAME,)
    PLURAL: ClassVar[str]
    SHORT_NAMES: ClassVar[tuple[str, ...]]
    PRINTER_COLUMNS: ClassVar[tuple[dict[str, Any], ...]]
