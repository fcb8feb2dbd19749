"""The `Agent` kind: what answers questions, from which indexes, within which limits."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from slipway_crds.fields import (
    Duration,
    Local,
    Name,
    Rule,
    Score,
    SpecModel,
    local,
    parse_duration,
)
from slipway_crds.meta import AGE_COLUMN, READY_COLUMNS, Condition, Kind
from slipway_crds.podsettings import PodSettings


class ObjectRef(SpecModel):
    """A reference to an object of a known kind in the same namespace."""

    name: Annotated[
        Name,
        Field(
            description="Name of the object, in the Agent's namespace.",
            json_schema_extra=local(Local.SAME, "Looked up among the manifests given to `slipway dev`."),
        ),
    ]


class Knowledge(SpecModel):
    """One index that the agent may read."""

    name: Annotated[
        Name,
        Field(
            description="Name of this entry, unique within the list.",
            json_schema_extra=local(Local.SAME, "Names the index in citations."),
        ),
    ]
    index_ref: Annotated[
        ObjectRef,
        Field(
            alias="indexRef",
            description="The VectorIndex to search.",
            json_schema_extra=local(Local.SAME, "Resolved among the manifests given to `slipway dev`."),
        ),
    ]
    top_k: Annotated[
        int,
        Field(
            alias="topK",
            ge=1,
            le=20,
            description="How many chunks to retrieve for a question.",
            json_schema_extra=local(Local.SAME, "The same retrieval runs in process."),
        ),
    ] = 5
    min_score: Annotated[
        Score,
        Field(
            alias="minScore",
            description="Answers scoring below this are not given; the agent abstains. "
            'A decimal from "0" to "1", as a string.',
            json_schema_extra=local(Local.SAME, "The same threshold applies."),
        ),
    ] = "0.45"


class Sessions(SpecModel):
    """How long a conversation is kept."""

    ttl: Annotated[
        Duration,
        Field(
            description="A session unused for this long is deleted.",
            json_schema_extra=local(Local.SAME, "Kept in SQLite for the same time."),
        ),
    ] = "24h"
    max_turns: Annotated[
        int,
        Field(
            alias="maxTurns",
            ge=1,
            le=1000,
            description="A session takes this many questions; the next one is refused.",
            json_schema_extra=local(Local.SAME, "The same count applies."),
        ),
    ] = 50
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="duration(self.ttl) >= duration('1m')",
            message="must be at least 1m",
            holds=lambda s: parse_duration(s["ttl"]).total_seconds() >= 60,
            field="ttl",
        ),
    )


class Limits(SpecModel):
    """What one pod takes on before it sheds load."""

    in_flight: Annotated[
        int,
        Field(
            alias="inFlight",
            ge=1,
            le=200,
            description="Questions one pod answers at a time; more get 429 with Retry-After.",
            json_schema_extra=local(Local.SAME, "Applies to the one local process."),
        ),
    ] = 20
    request_timeout: Annotated[
        Duration,
        Field(
            alias="requestTimeout",
            description="A question not answered within this time fails.",
            json_schema_extra=local(Local.SAME, "The same deadline applies."),
        ),
    ] = "60s"
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="duration(self.requestTimeout) >= duration('1s') && duration(self.requestTimeout) <= duration('30m')",
            message="must be from 1s to 30m",
            holds=lambda s: 1 <= parse_duration(s["requestTimeout"]).total_seconds() <= 1800,
            field="requestTimeout",
        ),
    )


class Scaling(SpecModel):
    """How many pods serve the agent."""

    min: Annotated[
        int,
        Field(
            ge=1,
            le=100,
            description="Pods to run; written to the Deployment only when it changes, so that other scalers are "
            "not fought.",
            json_schema_extra=local(Local.IGNORED, "One process serves everything."),
        ),
    ] = 1
    max: Annotated[
        int | None,
        Field(
            ge=1,
            le=100,
            description="With this set above `min`, a HorizontalPodAutoscaler on CPU scales between the two.",
            json_schema_extra=local(Local.IGNORED, "One process serves everything."),
        ),
    ] = None
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.max) || self.max >= self.min",
            message="must not be below min",
            holds=lambda s: s.get("max") is None or s["max"] >= s["min"],
            field="max",
        ),
    )


def _unique(names: list[str]) -> bool:
    return len(set(names)) == len(names)


class AgentSpec(SpecModel):
    """What a platform engineer writes."""

    architecture: Annotated[
        Literal["langgraph"],
        Field(
            description="How the agent is built. `langgraph` is a graph that retrieves, chooses sentences and cites "
            "them.",
            json_schema_extra=local(Local.SAME, "The same graph runs in process."),
        ),
    ] = "langgraph"
    knowledge: Annotated[
        list[Knowledge],
        Field(
            min_length=1,
            max_length=8,
            description="The indexes that the agent answers from.",
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                **local(Local.SAME, "The same indexes, embedded in the process."),
            },
        ),
    ]
    sessions: Annotated[
        Sessions,
        Field(description="How long a conversation is kept.", json_schema_extra=local(Local.SAME, "Kept in SQLite.")),
    ] = Sessions()
    limits: Annotated[
        Limits,
        Field(
            description="What one pod takes on before it sheds load.",
            json_schema_extra=local(Local.SAME, "Applies to the one local process."),
        ),
    ] = Limits()
    scaling: Annotated[
        Scaling,
        Field(
            description="How many pods serve the agent.",
            json_schema_extra=local(Local.IGNORED, "One process serves everything."),
        ),
    ] = Scaling()
    pod: Annotated[
        PodSettings | None,
        Field(
            description="How the agent's pods are made and where they may run.",
            json_schema_extra=local(Local.IGNORED, "There are no pods."),
        ),
    ] = None
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="self.knowledge.all(one, self.knowledge.exists_one(other, other.indexRef.name == one.indexRef.name))",
            message="must not name an index twice",
            holds=lambda s: _unique([entry["indexRef"]["name"] for entry in s["knowledge"]]),
            field="knowledge",
        ),
    )


class RevisionStatus(BaseModel):
    """One live revision, as status shows it."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    name: Annotated[str, Field(max_length=63, description="Name of the revision, which its objects carry too.")]
    weight: Annotated[int, Field(ge=0, le=100, description="Share of new questions that it gets, in per cent.")]
    state: Annotated[
        Literal["Candidate", "Serving", "Retiring"],
        Field(description="Candidate is being started; Serving takes questions; Retiring finishes what it has."),
    ]


class AgentStatus(BaseModel):
    """What the operator reports. Never read back as a source of truth."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    observed_generation: Annotated[
        int,
        Field(
            alias="observedGeneration",
            description="Generation of the spec that this status is about; -1 before the first look.",
        ),
    ] = -1
    phase: Annotated[
        Literal["Pending", "Progressing", "Ready", "Degraded", "Stalled", "Paused"] | None,
        Field(description="The conditions in one word, for tools that compare a string."),
    ] = None
    url: Annotated[
        str | None, Field(max_length=512, description="Where the gateway serves the agent, inside the cluster.")
    ] = None
    revisions: Annotated[
        list[RevisionStatus] | None,
        Field(
            max_length=8,
            description="The live revisions, serving first.",
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ] = None
    conditions: Annotated[
        list[Condition] | None,
        Field(
            max_length=16,
            description="Ready always; Reconciling and Stalled only while True; Resolved and Available explain Ready.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = None


class Agent(Kind):
    """An AI agent: what answers questions, from which indexes, within which limits."""

    kind: Literal["Agent"] = "Agent"
    spec: Annotated[AgentSpec, Field(description="The agent that is wanted.")]
    status: Annotated[AgentStatus, Field(description="What the operator reports.")] = AgentStatus()

    PLURAL: ClassVar[str] = "agents"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("agt",)
    PRINTER_COLUMNS: ClassVar[tuple[dict[str, Any], ...]] = (
        *READY_COLUMNS,
        {"name": "Revision", "type": "string", "jsonPath": ".status.revisions[0].name"},
        AGE_COLUMN,
    )
