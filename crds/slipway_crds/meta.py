"""What every kind has around its spec: group, version, metadata, conditions."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

GROUP = "slipway.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

PAUSED_ANNOTATION = f"{GROUP}/paused"
AGENT_LABEL = f"{GROUP}/agent"
REVISION_LABEL = f"{GROUP}/revision"
INDEX_LABEL = f"{GROUP}/index"
COMPONENT_LABEL = f"{GROUP}/component"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "slipway"


class Metadata(BaseModel):
    """The part of Kubernetes' object metadata that Slipway reads; everything else is kept out of the models."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    name: str
    namespace: str = "default"
    uid: str = ""
    generation: int = 0
    annotations: dict[str, str] = Field(default_factory=dict)
    labels: dict[str, str] = Field(default_factory=dict)


class Condition(BaseModel):
    """One condition, as kstatus and `kubectl wait` read it (`metav1.Condition`)."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    type: Annotated[str, Field(max_length=64, description="Name of the condition.")]
    status: Annotated[Literal["True", "False", "Unknown"], Field(description="Whether it holds.")]
    reason: Annotated[str, Field(max_length=128, description="One stable PascalCase word for why.")]
    message: Annotated[str, Field(max_length=4096, description="What is so, and what to do about it.")]
    last_transition_time: Annotated[
        datetime, Field(alias="lastTransitionTime", description="When the status last changed.")
    ]
    observed_generation: Annotated[
        int, Field(alias="observedGeneration", description="Generation of the spec that this is about.")
    ]
