"""The `Agent` kind: what answers questions, from which indexes, within which limits."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from slipway_crds.access import WITH_KEYS, Access
from slipway_crds.agents.answers import AnswersTo
from slipway_crds.agents.approvals import APPROVALS_OF_TOOLS, Approval
from slipway_crds.agents.asked import MEMBERS_ONCE, AgentPlugin, AgentTool, Member, ObjectRef
from slipway_crds.agents.custom import Custom
from slipway_crds.agents.prompts import Prompt
from slipway_crds.agents.providers import METADATA_REDIS, ModelSpec
from slipway_crds.agents.web_search import WebSearch
from slipway_crds.egress import Egress
from slipway_crds.fields import (
    ATOMIC,
    BY_NAME,
    BY_TOOL,
    BY_TYPE,
    CAPABILITY_PATTERN,
    Duration,
    Name,
    RedisUrl,
    Score,
    SpecModel,
    StatusModel,
    emulated,
    ignored,
    same,
)
from slipway_crds.meta import AGE_COLUMN, READY_COLUMNS, Condition, CustomObject, Phase
from slipway_crds.podsettings import NO_PODS, PodSettings
from slipway_crds.rules import (
    duration_within,
    empty_where,
    filled_where,
    given_where,
    not_below,
    only_like,
    only_where,
    only_with,
    unique,
    unlike,
)
from slipway_crds.runtimeconfig import Architecture
from slipway_crds.servers import SecretKey, ServerTls


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


class RedisSpec(SpecModel):
    """A Redis that has the sessions."""

    local = same("The same server is used.")
    rules = (
        unlike(
            "url",
            METADATA_REDIS,
            "must not be a link-local address or one where a cloud answers about its machines: write the Redis's own",
        ),
        only_like("tls", "url", "^rediss://", "needs a url that begins with rediss://: the other has no certificate"),
    )

    url: RedisUrl
    """Where it is: `redis://host:port/database`, or `rediss://` with TLS. It may name a user, as in
    `rediss://support@redis.example.com:6379/0`, and has no password. A server in the cluster, or at a private address,
    also has to be in `egress`."""
    password_ref: Annotated[
        SecretKey | None,
        emulated("Read from a Secret among the manifests, or from the environment variable that `key` names."),
    ] = None
    """The password to sign in with. The operator never reads it; pods read it again when they connect."""
    tls: Annotated[ServerTls | None, same("The same certificates are used.")] = None
    """How the server is checked."""


class Sessions(SpecModel):
    """How long a conversation is kept, and where."""

    rules = (duration_within("ttl", "1m"),)

    ttl: Annotated[Duration, same("Kept in SQLite for the same time.")] = "24h"
    """A session unused for this long is deleted."""
    max_turns: Annotated[int, Field(ge=1, le=10_000), same("The same count applies.")] = 50
    """A session takes this many questions; the next one is refused."""
    redis: Annotated[RedisSpec | None, same("The same server is used.")] = None
    """A Redis for sessions and their summaries, in place of the store. Answers are in the store either way. A change
    begins new sessions."""


class Limits(SpecModel):
    """What one pod takes on before it sheds load."""

    rules = (duration_within("requestTimeout", "1s", "30m"),)

    in_flight: Annotated[int, Field(ge=1, le=200), same("Applies to the one local process.")] = 20
    """Questions one pod answers at a time; more get 429 with Retry-After."""
    request_timeout: Annotated[Duration, same("The same deadline applies.")] = "60s"
    """A question not answered within this time fails."""
    max_steps: Annotated[int, Field(ge=1, le=100), same("The same count applies.")] = 20
    """Model requests of one answer at most."""
    max_tokens: Annotated[int | None, Field(ge=100, le=100_000_000), same("The same count applies.")] = None
    """Tokens of one answer at most, sent and received; unbounded if not given."""


class Scaling(SpecModel):
    """How many pods serve the agent."""

    local = ignored("One process serves everything.")
    rules = (not_below("max", "min"),)

    min: Annotated[int, Field(ge=1, le=100)] = 1
    """Pods to run; written to the Deployment only when it changes, so that other scalers are not fought."""
    max: Annotated[int | None, Field(ge=1, le=100)] = None
    """With this set above `min`, a HorizontalPodAutoscaler on CPU scales between the two."""


class Output(SpecModel):
    """What answers look like."""

    json_schema: Annotated[dict[str, Any], Field(alias="schema"), same("The same schema is kept to.")]
    """A JSON Schema (2020-12) of type object that every answer fits. References only lead within it."""


class Telemetry(SpecModel):
    """What spans hold."""

    content: Annotated[bool, same("The same applies to spans of the local process.")] = False
    """Whether spans hold questions, answers, prompts and documents."""


NEEDS_MODELS = "needs models: without any, the answer is made of the documents' own sentences"


class AgentSpec(SpecModel):
    """What a platform engineer writes."""

    rules = (
        unique("knowledge", by="indexRef.name", message="must not name an index twice"),
        filled_where(
            "knowledge",
            "architecture",
            ["langgraph"],
            "must have an entry where there are no models: without either there is nothing to answer from",
            unless="models",
        ),
        filled_where(
            "models",
            "architecture",
            ["pydantic-ai", "hybrid"],
            "must have an entry for architectures pydantic-ai and hybrid",
        ),
        filled_where(
            "members",
            "architecture",
            ["orchestrator"],
            "must have an entry for architecture orchestrator: the agents that it chooses among",
        ),
        empty_where(
            "members",
            "architecture",
            ["langgraph", "pydantic-ai", "hybrid", "custom"],
            "is for architecture orchestrator, which chooses one of them for each question: remove it",
        ),
        MEMBERS_ONCE,
        empty_where(
            "tools",
            "architecture",
            ["langgraph", "orchestrator"],
            "is for architectures pydantic-ai and hybrid: remove it, or choose one of them",
        ),
        empty_where(
            "knowledge",
            "architecture",
            ["orchestrator"],
            "must be empty for architecture orchestrator: its members answer, so give the indexes to them",
        ),
        only_where(
            "output",
            "architecture",
            ["pydantic-ai", "hybrid"],
            "is for architectures pydantic-ai and hybrid: remove it, or choose one of them",
        ),
        only_where(
            "webSearch",
            "architecture",
            ["pydantic-ai", "hybrid"],
            "is for architectures pydantic-ai and hybrid: remove it, or choose one of them",
        ),
        empty_where(
            "approvals",
            "architecture",
            ["custom"],
            "has no effect on code of yours: remove it, and let the code ask with run.ask before it calls a tool",
        ),
        APPROVALS_OF_TOOLS,
        given_where(
            "custom",
            "architecture",
            ["custom"],
            "must be given for architecture custom: say what makes the agent, like entryPoint: package.module:factory",
        ),
        only_where(
            "custom", "architecture", ["custom"], "is for architecture custom: remove it, or write architecture: custom"
        ),
        only_with("instructions", "models", NEEDS_MODELS, entries=True),
        only_with("limits.maxTokens", "models", NEEDS_MODELS, entries=True),
    )

    architecture: Annotated[Architecture, same("The same agent runs in process.")] = "langgraph"
    """How the agent is built. `langgraph` is a graph that retrieves, answers from what it found and cites it;
    `pydantic-ai` is one model with instructions and typed output; `hybrid` is a graph of such; `orchestrator` chooses
    another agent for each question; `custom` is code of yours."""
    description: Annotated[str | None, Field(min_length=1, max_length=1024), same("Shown by the local gateway.")] = None
    """What the agent is for, in a sentence or two. Orchestrators choose by it."""
    capabilities: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=64, pattern=CAPABILITY_PATTERN)]] | None,
        Field(max_length=16),
        ATOMIC,
        same("Shown by the local gateway."),
    ] = None
    """What the agent is good at, in words. If not given, those of the architecture: for `langgraph` complex_workflow
    and state_management, for `pydantic-ai` structured_output and type_validation, for `hybrid`
    workflow_with_validation and migration_support, for `orchestrator` task_analysis and agent_selection; none for
    `custom`."""
    instructions: Annotated[
        str | None, Field(min_length=1, max_length=32_768), same("The model gets the same text.")
    ] = None
    """Instructions that the models get with each question."""
    models: Annotated[tuple[ModelSpec, ...], Field(max_length=8), BY_NAME, same("The same models are called.")] = ()
    """The models that write answers, the preferred one first. Without any, answers are made of the documents' own
    sentences."""
    output: Annotated[Output | None, same("The same schema is kept to.")] = None
    """What answers look like; text if not given."""
    knowledge: Annotated[
        tuple[Knowledge, ...],
        Field(max_length=8),
        BY_NAME,
        same("The same indexes, embedded in the process."),
    ] = ()
    """The indexes that the agent answers from."""
    members: Annotated[
        tuple[Member, ...],
        Field(max_length=16),
        ATOMIC,
        same("The same agents are asked, through the local gateway."),
    ] = ()
    """The agents that an orchestrator chooses among. It asks them for its callers, who need the right to ask them."""
    tools: Annotated[
        tuple[AgentTool, ...],
        Field(max_length=16),
        BY_NAME,
        same("The same agents are asked, through the local gateway."),
    ] = ()
    """Other agents that the model may ask. It asks them for its callers, who need the right to ask them."""
    web_search: Annotated[WebSearch | None, same("The same service is asked.")] = None
    """The web, as a tool of the model; the model has no such tool if not given."""
    approvals: Annotated[tuple[Approval, ...], Field(max_length=20), BY_TOOL, same("The same people are asked.")] = ()
    """Tools whose calls wait for a person. The others are called at once."""
    plugins: Annotated[
        tuple[AgentPlugin, ...], Field(max_length=8), BY_NAME, same("The same code runs in process.")
    ] = ()
    """Plugins around the agent's answers, in the order in which they see a question; they see the answer in the
    opposite order."""
    access: Annotated[Access | None, WITH_KEYS] = None
    """Who may use the agent; every caller whom the gateway knows if not given."""
    prompts: Annotated[
        tuple[Prompt, ...], Field(max_length=32), BY_NAME, same("The local gateway offers the same.")
    ] = ()
    """Messages that the agent's MCP server offers to the users of its clients. The agent itself is not given them."""
    custom: Annotated[Custom | None, same("The same code runs in process.")] = None
    """Code of yours that is the agent, for architecture `custom`. It is given all other fields."""
    answers_to: Annotated[AnswersTo | None, same("The same answers are written.")] = None
    """Where answers are written to, besides those who asked; nowhere if not given."""
    sessions: Annotated[Sessions, same("Kept in SQLite.")] = Sessions()
    """How long a conversation is kept."""
    limits: Annotated[Limits, same("Applies to the one local process.")] = Limits()
    """What one pod takes on before it sheds load."""
    scaling: Annotated[Scaling, ignored("One process serves everything.")] = Scaling()
    """How many pods serve the agent."""
    egress: Annotated[tuple[Egress, ...], Field(max_length=16), ATOMIC, ignored("Nothing is closed locally.")] = ()
    """Where the agent's pods may connect to besides Slipway's own and, with models, public addresses at the ports of
    the models."""
    telemetry: Annotated[Telemetry, same("The same applies to spans of the local process.")] = Telemetry()
    """What spans hold."""
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
    mcp_name: Annotated[str | None, Field(max_length=128)] = None
    """What names begin with on the federated MCP server. It stays as long as the object lives."""
    revisions: Annotated[list[RevisionStatus] | None, Field(max_length=8), ATOMIC] = None
    """The live revisions, serving first."""
    conditions: Annotated[list[Condition] | None, Field(max_length=16), BY_TYPE] = None
    """Ready always; Reconciling and Stalled only while True; Resolved and Available explain Ready; StoreLimited,
    ModelsLimited, PluginsLimited and AnswersLimited only while True."""


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
