"""The `Workflow` kind: steps that agents, searches and people do, in the order that their needs give."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from slipway_crds.access import WITH_KEYS, Access, Groups
from slipway_crds.fields import (
    ATOMIC,
    BY_NAME,
    BY_TYPE,
    CAPABILITY_PATTERN,
    IDENTIFIER_PATTERN,
    MCP_TOOL_PATTERN,
    Duration,
    Name,
    Rule,
    SpecModel,
    StatusModel,
    same,
)
from slipway_crds.meta import AGE_COLUMN, READY_COLUMNS, Condition, CustomObject, Phase
from slipway_crds.rules import duration_within, exactly_one
from slipway_crds.workflows.triggers import Publishing, Trigger

MOST_STEPS = 48
LAST_RUNS = 5
"""Runs in a status."""
STEP_KINDS = ("agentRef", "requires", "search", "map", "approval", "wait")
"""What a step can be: exactly one of them."""

StepName = Annotated[str, Field(min_length=1, max_length=40, pattern=IDENTIFIER_PATTERN)]
Expression = Annotated[str, Field(min_length=1, max_length=2048)]
"""An expression of CEL. It sees `input`, `steps`, `failed` and `run`, and within a map `item` and `index`."""
Template = Annotated[str, Field(min_length=1, max_length=8192)]
"""A text in which each `${...}` is an expression of CEL. One that is nothing else has the value as it is."""
Params = Annotated[dict[str, Any], Field(max_length=64)]
Capabilities = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=64, pattern=CAPABILITY_PATTERN)]],
    Field(min_length=1, max_length=16),
    ATOMIC,
]


class NamedObject(SpecModel):
    """An object of a known kind in the Workflow's namespace."""

    local = same("Looked up among the manifests given to `slipway dev`.")

    name: Name
    """Name of the object."""


class Shape(SpecModel):
    """What a value looks like."""

    local = same("The same schema is kept to.")

    json_schema: Annotated[dict[str, Any], Field(alias="schema")]
    """A JSON Schema (2020-12) that the value fits; that of an input is of type object. References only lead within
    it."""


class WorkflowOutput(SpecModel):
    """What the workflow gives at its end."""

    local = same("The same value is given.")

    value: Expression
    """The value, as an expression of CEL."""
    json_schema: Annotated[dict[str, Any] | None, Field(alias="schema")] = None
    """A JSON Schema (2020-12) that the value fits; any value if not given."""


class Retry(SpecModel):
    """How often a step that failed is tried again."""

    local = same("The same tries are made.")
    rules = (duration_within("delay", "0s", "1h"), duration_within("maxDelay", "1s", "1h"))

    attempts: Annotated[int, Field(ge=1, le=20)] = 3
    """Tries in all. What cannot succeed, such as input that is refused, is tried once."""
    delay: Duration = "1s"
    """The pause after the first try. It doubles with each further one."""
    max_delay: Duration = "1m"
    """The longest pause."""


class IndexSearch(SpecModel):
    """A search in an index."""

    local = same("The same index is searched.")

    index_ref: NamedObject
    """The VectorIndex."""
    query: Template
    """What is searched for."""
    top_k: Annotated[int, Field(ge=1, le=20)] = 5
    """Passages at most."""


class MapOver(SpecModel):
    """A call of an agent, or a search, for each element of a list."""

    local = same("The same calls are made.")
    rules = (
        exactly_one(["agentRef", "requires", "search"]),
        Rule(
            cel="!has(self.search) || !has(self.tool) && !has(self.ask) && !has(self.params)",
            message="has a search: tool, ask and params are for calls of agents",
            holds=lambda value: (
                value.get("search") is None or all(value.get(key) is None for key in ("tool", "ask", "params"))
            ),
        ),
    )

    over: Expression
    """The list, as an expression of CEL. Its elements are `item`, their places from 0 `index`."""
    concurrency: Annotated[int, Field(ge=1, le=50)] = 5
    """Elements that are worked on at a time."""
    agent_ref: NamedObject | None = None
    """The agent that is called."""
    requires: Capabilities | None = None
    """Capabilities: an agent of the namespace that has all of them is called, of several the first by name."""
    tool: Annotated[str | None, Field(min_length=1, max_length=128, pattern=MCP_TOOL_PATTERN)] = None
    """The agent's tool that is called; `ask` if not given."""
    ask: Template | None = None
    """The question, for the tool `ask`."""
    params: Params | None = None
    """Arguments of the tool. Texts in it may hold `${...}`."""
    search: IndexSearch | None = None
    """The search that is made."""


class HumanApproval(SpecModel):
    """A decision by a person. Denied and expired ones fail the step."""

    local = same("The same people are asked.")
    rules = (duration_within("expires", "1m", "8760h"),)

    message: Template
    """What is to be decided."""
    groups: Groups | None = None
    """Groups whose members may decide; whoever started the run if not given."""
    expires: Duration = "24h"
    """A decision that nobody has made within this time is a denial."""


class EventWait(SpecModel):
    """A wait for an event that is sent to the run, or for a time."""

    local = same("The same event is waited for.")
    rules = (exactly_one(["event", "duration"]), duration_within("duration", "1s", "8760h", optional=True))

    event: StepName | None = None
    """Name of the event. Its payload is the step's output. One that came before is not missed."""
    duration: Duration | None = None
    """How long to sleep."""


class WorkflowStep(SpecModel):
    """One step: exactly one of `agentRef`, `requires`, `search`, `map`, `approval` and `wait` says what is done."""

    local = same("The same step is done.")
    rules = (
        exactly_one(list(STEP_KINDS)),
        duration_within("timeout", "1s", "8760h"),
        Rule(
            cel="has(self.agentRef) || has(self.requires) || !has(self.tool) && !has(self.ask) && !has(self.params)",
            message="tool, ask and params are for steps with agentRef or requires",
            holds=lambda value: (
                value.get("agentRef") is not None
                or value.get("requires") is not None
                or all(value.get(key) is None for key in ("tool", "ask", "params"))
            ),
        ),
        Rule(
            cel="self.repeat == 'Safe' || has(self.agentRef) || has(self.requires)",
            message="may only be Never for steps that call an agent: the others change nothing",
            holds=lambda value: (
                value["repeat"] == "Safe" or value.get("agentRef") is not None or value.get("requires") is not None
            ),
            field="repeat",
        ),
    )

    name: StepName
    """Name of the step, unique within the list. Other steps read its output as `steps.NAME`."""
    needs: Annotated[tuple[StepName, ...], Field(max_length=16), ATOMIC] = ()
    """Steps that have ended before this one begins. Without any it begins at once."""
    condition: Annotated[Expression | None, Field(alias="if")] = None
    """Whether the step is done at all, as an expression of CEL; it is if not given. A step that is not done has no
    output, and those that need it are not done either, unless they have an `if` of their own."""
    agent_ref: NamedObject | None = None
    """The agent that is called."""
    requires: Capabilities | None = None
    """Capabilities: an agent of the namespace that has all of them is called, of several the first by name."""
    tool: Annotated[str | None, Field(min_length=1, max_length=128, pattern=MCP_TOOL_PATTERN)] = None
    """The agent's tool that is called; `ask` if not given. It is given `params`, and as `context` the outputs of the
    steps before (`previous_results`) and what this one requires (`step_requirements`)."""
    ask: Template | None = None
    """The question, for the tool `ask`."""
    params: Params | None = None
    """Arguments of the tool. Texts in it may hold `${...}`."""
    search: IndexSearch | None = None
    """A search in an index. Its output is the list of passages."""
    map: MapOver | None = None
    """A call for each element of a list. Its output is the list of outputs, in the same order."""
    approval: HumanApproval | None = None
    """A person who decides. Its output says who decided, and what they wrote."""
    wait: EventWait | None = None
    """An event or a time that is waited for."""
    output: Shape | None = None
    """What the step's output looks like. One that does not fit is asked for again, as `retry` says."""
    retry: Retry = Retry()
    """How often a step that failed is tried again."""
    timeout: Duration = "5m"
    """A try that has not ended in this time has failed. Approvals have `expires` in its place."""
    on_failure: Literal["Fail", "Continue"] = "Fail"
    """What a failure means: the run fails, or goes on without the output. `failed.NAME` tells others of it."""
    repeat: Literal["Safe", "Never"] = "Safe"
    """Whether the step may be done again when a worker ended in the middle of it. With `Never` the run stops as
    NeedsAttention until a person has said what came of it."""


UNIQUE_NEEDS = Rule(
    cel="self.steps.all(one, one.needs.all(name, name != one.name && self.steps.exists(each, each.name == name)))",
    message="must be needed by their names, and no step by itself",
    holds=lambda value: all(
        name != one["name"] and any(each["name"] == name for each in value["steps"])
        for one in value["steps"]
        for name in one["needs"]
    ),
    field="steps",
)


class WorkflowLimits(SpecModel):
    """What one run may take."""

    local = same("The same limits apply.")
    rules = (duration_within("timeout", "1s", "8760h"),)

    timeout: Duration = "24h"
    """A run that has not ended in this time fails. Waits for people and events count."""
    steps_at_once: Annotated[int, Field(ge=1, le=64)] = 8
    """Steps of one run that are done at a time."""


class WorkflowSpec(SpecModel):
    """What a platform engineer writes."""

    rules = (UNIQUE_NEEDS,)

    description: Annotated[str | None, Field(min_length=1, max_length=1024), same("Shown by the local gateway.")] = None
    """What the workflow is for, in a sentence or two. Clients read it where they may start it as a tool."""
    input: Annotated[Shape | None, same("The same schema is kept to.")] = None
    """What a run is given: an object of any kind if not given."""
    steps: Annotated[
        tuple[WorkflowStep, ...], Field(min_length=1, max_length=MOST_STEPS), BY_NAME, same("The same steps are done.")
    ]
    """The steps. Their order is given by `needs`."""
    output: Annotated[WorkflowOutput | None, same("The same value is given.")] = None
    """What a run gives at its end; the outputs of all steps by name if not given."""
    limits: Annotated[WorkflowLimits, same("The same limits apply.")] = WorkflowLimits()
    """What one run may take."""
    triggers: Annotated[tuple[Trigger, ...], Field(max_length=16), BY_NAME, same("The same runs begin.")] = ()
    """What begins runs by itself. Runs by HTTP, as a tool of MCP and by A2A need no trigger."""
    publish: Annotated[Publishing | None, same("The same events are written.")] = None
    """Where what happens in runs is written to."""
    access: Annotated[Access | None, WITH_KEYS] = None
    """Who may start runs and see them; every caller whom the gateway knows if not given."""


class LastRun(StatusModel):
    """A run in a few words."""

    id: Annotated[str, Field(max_length=64)]
    """The run's id."""
    state: Annotated[str, Field(max_length=32)]
    """How it is, or how it ended."""
    started: Annotated[str | None, Field(max_length=40)] = None
    """When it began."""
    ended: Annotated[str | None, Field(max_length=40)] = None
    """When it ended; not given while it goes on."""


class WorkflowStatus(StatusModel):
    """What the operator reports. Never read back as a source of truth."""

    observed_generation: int = -1
    """Generation of the spec that this status is about; -1 before the first look."""
    phase: Phase | None = None
    """The conditions in one word, for tools that compare a string."""
    url: Annotated[str | None, Field(max_length=512)] = None
    """Where the gateway takes runs, inside the cluster."""
    mcp_name: Annotated[str | None, Field(max_length=128)] = None
    """What names begin with on the federated MCP server. It stays as long as the object lives."""
    last_runs: Annotated[list[LastRun] | None, Field(max_length=LAST_RUNS), ATOMIC] = None
    """The newest runs, the last one first."""
    success_rate: Annotated[str | None, Field(max_length=8)] = None
    """The share of the runs that ended in the last day and succeeded, from 0 to 1."""
    next_schedule: Annotated[str | None, Field(max_length=40)] = None
    """When the next run by schedule is due."""
    needs_attention: int | None = None
    """Runs that wait until a person has settled a step."""
    conditions: Annotated[list[Condition] | None, Field(max_length=16), BY_TYPE] = None
    """Ready always; Reconciling and Stalled only while True; Resolved explains Ready."""


class Workflow(CustomObject):
    """Steps that agents, searches and people do, in the order that their needs give."""

    kind: Literal["Workflow"] = "Workflow"
    spec: WorkflowSpec
    """The desired workflow."""
    status: WorkflowStatus = WorkflowStatus()
    """What the operator reports."""

    PLURAL: ClassVar[str] = "workflows"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("wfl",)
    PRINTER_COLUMNS: ClassVar[tuple[dict[str, Any], ...]] = (
        *READY_COLUMNS,
        {"name": "Success", "type": "string", "jsonPath": ".status.successRate"},
        {"name": "Next", "type": "string", "jsonPath": ".status.nextSchedule"},
        AGE_COLUMN,
    )
