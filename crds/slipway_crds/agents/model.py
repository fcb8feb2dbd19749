"""The `Agent` kind: what answers questions, from which indexes, within which limits."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from slipway_crds.fields import ATOMIC, BY_NAME, BY_TYPE, Duration, Name, Score, SpecModel, StatusModel, ignored, same
from slipway_crds.meta import AGE_COLUMN, READY_COLUMNS, Condition, CustomObject, Phase
from slipway_crds.podsettings import NO_PODS, PodSettings
from slipway_crds.rules import duration_within, not_below, unique


class ObjectRef(SpecModel):
    """A reference to an object of a known kind in the same namespace."""

    local = same("Looked up among the manifests given to `slipway dev`.")

    name: Name
    """Name of the object, in the Agent's namespace."""


class Knowledge(SpecModel):
    """One index that the agent may read."""

    name: Annotated[Name, same("Names the index in citations.")]
    """Name of this entry, unique within the list."""
    index_ref: Annotated[ObjectRef, same("Resolved among the manifests given to `slipway dev`.")]
    """The VectorIndex to search."""
    top_k: Annotated[int, Field(ge=1, le=20), same("The same retrieval runs in process.")] = 5
    """How many chunks to retrieve for a question."""
    min_score: Annotated[Score, same("The same threshold applies.")] = "0.45"
    """Answers scoring below this are not given; the agent abstains. A decimal from "0" to "1", as a string."""


class Sessions(SpecModel):
    """How long a conversation is kept."""

    rules = (duration_within("ttl", "1m"),)

    ttl: Annotated[Duration, same("Kept in SQLite for the same time.")] = "24h"
    """A session unused for this long is deleted."""
    max_turns: Annotated[int, Field(ge=1, le=1000), same("The same count applies.")] = 50
    """A session takes this many questions; the next one is refused."""


class Limits(SpecModel):
    """What one pod takes on before it sheds load."""

    rules = (duration_within("requestTimeout", "1s", "30m"),)

    in_flight: Annotated[int, Field(ge=1, le=200), same("Applies to the one local process.")] = 20
    """Questions one pod answers at a time; more get 429 with Retry-After."""
    request_timeout: Annotated[Duration, same("The same deadline applies.")] = "60s"
    """A question not answered within this time fails."""


class Scaling(SpecModel):
    """How many pods serve the agent."""

    local = ignored("One process serves everything.")
    rules = (not_below("max", "min"),)

    min: Annotated[int, Field(ge=1, le=100)] = 1
    """Pods to run; written to the Deployment only when it changes, so that other scalers are not fought."""
    max: Annotated[int | None, Field(ge=1, le=100)] = None
    """With this set above `min`, a HorizontalPodAutoscaler on CPU scales between the two."""


class AgentSpec(SpecModel):
    """What a platform engineer writes."""

    rules = (unique("knowledge", by="indexRef.name", message="must not name an index twice"),)

    architecture: Annotated[Literal["langgraph"], same("The same graph runs in process.")] = "langgraph"
    """How the agent is built. `langgraph` is a graph that retrieves, chooses sentences and cites them."""
    knowledge: Annotated[
        list[Knowledge],
        Field(min_length=1, max_length=8),
        BY_NAME,
        same("The same indexes, embedded in the process."),
    ]
    """The indexes that the agent answers from."""
    sessions: Annotated[Sessions, same("Kept in SQLite.")] = Sessions()
    """How long a conversation is kept."""
    limits: Annotated[Limits, same("Applies to the one local process.")] = Limits()
    """What one pod takes on before it sheds load."""
    scaling: Annotated[Scaling, ignored("One process serves everything.")] = Scaling()
    """How many pods serve the agent."""
    pod: Annotated[PodSettings | None, NO_PODS] = None
    """How the agent's pods are made and where they may run."""


class RevisionStatus(StatusModel):
    """One live revision, as status shows it."""

    name: Annotated[str, Field(max_length=63)]
    """Name of the revision, which its objects carry too."""
    weight: Annotated[int, Field(ge=0, le=100)]
    """Share of new questions that it gets, in per cent."""
    state: Literal["Candidate", "Serving", "Retiring"]
    """Candidate is being started; Serving takes questions; Retiring finishes what it has."""


class AgentStatus(StatusModel):
    """What the operator reports. Never read back as a source of truth."""

    observed_generation: int = -1
    """Generation of the spec that this status is about; -1 before the first look."""
    phase: Phase | None = None
    """The conditions in one word, for tools that compare a string."""
    url: Annotated[str | None, Field(max_length=512)] = None
    """Where the gateway serves the agent, inside the cluster."""
    revisions: Annotated[list[RevisionStatus] | None, Field(max_length=8), ATOMIC] = None
    """The live revisions, serving first."""
    conditions: Annotated[list[Condition] | None, Field(max_length=16), BY_TYPE] = None
    """Ready always; Reconciling and Stalled only while True; Resolved and Available explain Ready."""


class Agent(CustomObject):
    """An AI agent: what answers questions, from which indexes, within which limits."""

    kind: Literal["Agent"] = "Agent"
    spec: AgentSpec
    """The desired agent."""
    status: AgentStatus = AgentStatus()
    """What the operator reports."""

    PLURAL: ClassVar[str] = "agents"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("agt",)
    PRINTER_COLUMNS: ClassVar[tuple[dict[str, Any], ...]] = (
        *READY_COLUMNS,
        {"name": "Revision", "type": "string", "jsonPath": ".status.revisions[0].name"},
        AGE_COLUMN,
    )
