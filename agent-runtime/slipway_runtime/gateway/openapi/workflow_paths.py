"""The operations of the paths of workflows, and their bodies."""

from typing import Any, Literal, get_args

from pydantic import Field

from slipway_runtime.gateway.openapi import parameters
from slipway_runtime.gateway.openapi.bodies import RUN_ID, Body, example
from slipway_runtime.gateway.openapi.operations import Operation, answer, body
from slipway_runtime.gateway.openapi.parameters import path_parameter, query_parameter
from slipway_runtime.gateway.openapi.problems import OF_A_BODY, OF_THE_LIST
from slipway_runtime.problems import Reason
from slipway_runtime.protocols.sse import MEDIA_TYPE as EVENT_STREAM

EVENTS = f'id: 1\nevent: started\ndata: {{"run_id": "{RUN_ID}"}}\n\n'
WORKFLOW = (
    path_parameter("namespace", "The workflow's namespace.", example="demo"),
    path_parameter("name", "The workflow's name.", example="document-analysis-and-extraction"),
)
OF_A_WORKFLOW = (
    *OF_THE_LIST,
    *(Reason.WORKFLOW_NOT_FOUND, Reason.INVALID_ANSWER, Reason.NO_POD_READY, Reason.STORE_UNAVAILABLE),
    *(Reason.REQUEST_TIMEOUT, Reason.INVALID_REQUEST),
)


OF_A_RUN = (*OF_A_WORKFLOW, Reason.RUN_NOT_FOUND)
OF_A_STEP = (*OF_A_RUN, *OF_A_BODY, Reason.INPUT_NOT_FOUND, Reason.INPUT_NOT_OPEN)
WorkflowState = Literal["queued", "running", "waiting", "needs_attention", "done", "failed", "cancelled"]
RUN = path_parameter("run", "The run's id.", example=RUN_ID)
STEP = path_parameter("step", "The step's name.", example="approve")
EVENT = path_parameter("event", "Name of the event.", example="paid")
STATE = query_parameter("state", "Only runs in this state.", example="waiting", enum=list(get_args(WorkflowState)))
PAGE = query_parameter("page", "`next` of the page before.", example=f"1767139200.5-{RUN_ID}")
LAST_EVENT = parameters.header_parameter(
    "Last-Event-ID",
    "The id of the last event that was received. The stream goes on after it.",
    example=f"{RUN_ID}.3",
    pattern="^[0-9a-f]{32}\\.[0-9]{1,9}$",
)
STREAM = {EVENT_STREAM: {"schema": {"type": "string"}, "example": EVENTS}}
_RUN: dict[str, Any] = {
    "run_id": RUN_ID,
    "workflow": "demo/report",
    "state": "running",
    "started_by": "http",
    "caller": "alice",
    "created": 1767139200.5,
    "changed": 1767139201.0,
    "deadline": 1767225600.5,
    "last_event": 3,
}


class WorkflowListed(Body):
    """A workflow that the caller may use."""

    model_config = example(namespace="demo", name="report", description="Writes a report.", ready=True)
    namespace: str
    name: str
    description: str
    ready: bool
    """Whether a worker of its namespace is ready."""


class WorkflowList(Body):
    """The workflows that the caller may use."""

    model_config = example(
        workflows=[{"namespace": "demo", "name": "report", "description": "Writes a report.", "ready": True}]
    )
    workflows: list[WorkflowListed]


class WorkflowStart(Body):
    """What a run is given."""

    input: dict[str, Any] | None = None
    """An object that fits the workflow's `spec.input`; an empty one if left out."""


class WorkflowRunInShort(Body):
    """A run without what went in and what came out. Fields that are not set are left out."""

    model_config = example(**_RUN)
    run_id: str
    workflow: str
    """`namespace/name`."""
    state: WorkflowState
    started_by: str
    """`http`, `mcp`, `a2a`, `cli`, `schedule` or `kafka`."""
    caller: str
    created: float
    """In seconds since 1970, as all times."""
    changed: float
    deadline: float
    """When it fails if it has not ended."""
    ended: float | None = None
    last_event: int
    """Number of its last event."""
    reason: str | None = None
    """Why it failed, in one word."""
    message: str | None = None
    step: str | None = None
    """The step that failed."""
    retry_of: str | None = None
    """The run that it does again."""


class WorkflowRunAnswer(WorkflowRunInShort):
    """A run. Fields that are not set are left out."""

    model_config = example(**_RUN, input={"document": "The contract ends on 1 May."})
    input: dict[str, Any]
    output: Any = None
    """Of a run that is done."""


class WorkflowStepAnswer(Body):
    """A step of a run, or an element of a step with `map`. Fields that are not set are left out."""

    model_config = example(step="approve", state="waiting", attempts=1, kind="approval", message="Send it?")
    step: str
    index: int | None = None
    """Of the element."""
    state: str
    """`pending`, `running`, `retrying`, `waiting`, `needs_attention`, `succeeded`, `failed` or `skipped`."""
    attempts: int | None = None
    agent: str | None = None
    """The agent that was chosen."""
    output: Any = None
    reason: str | None = None
    message: str | None = None
    began: float | None = None
    ended: float | None = None
    until: float | None = None
    """Until when it waits."""


class WorkflowRunWithSteps(WorkflowRunAnswer):
    """A run with its steps."""

    model_config = example(**_RUN, input={}, steps=[{"step": "analyze", "state": "running", "attempts": 1}])
    steps: list[WorkflowStepAnswer]


class WorkflowRunList(Body):
    """A page of runs, the newest first."""

    model_config = example(runs=[_RUN])
    runs: list[WorkflowRunInShort]
    next: str | None = None
    """What `page` is for the next page. Left out on the last one."""


class WorkflowRetry(Body):
    """From where an ended run is done again."""

    start: str | None = Field(default=None, alias="from")
    """The first step that is done again; the one that failed if left out."""


class WorkflowDecision(Body):
    """Decides an approval."""

    approved: bool
    comment: str | None = Field(default=None, max_length=4096)


class WorkflowSettle(Body):
    """Says what came of a step that must not be repeated."""

    outcome: Literal["succeeded", "failed", "again"]
    """`again`: it did nothing, and is done once more."""
    output: Any = None
    index: int | None = Field(default=None, ge=0)
    """Of the element, for a step with `map`."""
    comment: str | None = Field(default=None, max_length=4096)


class WorkflowEvent(Body):
    """What an event brings."""

    payload: Any = None


class WorkflowGraphStep(Body):
    """A step in a picture."""

    name: str
    does: str
    needs: list[str]
    state: str | None = None
    """In a run."""


class WorkflowGraph(Body):
    """The steps of a workflow or of a run."""

    model_config = example(
        mermaid="flowchart TD\n    analyze[analyze]\n",
        steps=[{"name": "analyze", "does": "agent desk", "needs": [], "state": ""}],
    )
    mermaid: str
    steps: list[WorkflowGraphStep]


LIST_WORKFLOWS = Operation(
    id="listWorkflows",
    summary="List the workflows that the caller may use",
    tag="Workflows",
    answers={200: answer(WorkflowList, "The workflows.")},
    reasons=OF_THE_LIST,
)
READ_WORKFLOW = Operation(
    id="readWorkflow",
    summary="Read a workflow",
    tag="Workflows",
    parameters=WORKFLOW,
    answers={200: answer(WorkflowListed, "The workflow.")},
    reasons=(*OF_THE_LIST, Reason.WORKFLOW_NOT_FOUND),
)
START_WORKFLOW = Operation(
    id="startWorkflow",
    summary="Start a run of a workflow",
    tag="Workflows",
    description="Answers at once, or with the run's events if the request accepts `text/event-stream`. A client that "
    "disconnects does not cancel the run.",
    parameters=(*WORKFLOW, parameters.IDEMPOTENCY_KEY),
    body=body(WorkflowStart, nothing={}, document={"input": {"document": "The contract ends on 1 May."}}),
    answers={
        202: answer(WorkflowRunAnswer, "The run has begun."),
        200: {"description": "The run's events.", "content": STREAM},
    },
    reasons=(*OF_A_WORKFLOW, *OF_A_BODY),
)
LIST_RUNS = Operation(
    id="listWorkflowRuns",
    summary="List the runs of a workflow",
    tag="Workflows",
    parameters=(*WORKFLOW, STATE, PAGE),
    answers={200: answer(WorkflowRunList, "A page of runs, the newest first.")},
    reasons=OF_A_WORKFLOW,
)
READ_RUN = Operation(
    id="readWorkflowRun",
    summary="Read a run with its steps",
    tag="Workflows",
    parameters=(*WORKFLOW, RUN),
    answers={200: answer(WorkflowRunWithSteps, "The run.")},
    reasons=OF_A_RUN,
)
FOLLOW_RUN = Operation(
    id="followWorkflowRun",
    summary="Follow the events of a run",
    tag="Workflows",
    parameters=(*WORKFLOW, RUN, LAST_EVENT),
    answers={
        200: {"description": "The run's events.", "content": STREAM},
        204: {"description": "The run has ended, and the client has its last event."},
    },
    reasons=OF_A_RUN,
)
CANCEL_RUN = Operation(
    id="cancelWorkflowRun",
    summary="Cancel a run",
    tag="Workflows",
    description="A run that has ended by then stays as it is.",
    parameters=(*WORKFLOW, RUN),
    answers={200: answer(WorkflowRunAnswer, "The run as it is now.")},
    reasons=(*OF_A_RUN, *OF_A_BODY),
)
RETRY_RUN = Operation(
    id="retryWorkflowRun",
    summary="Do an ended run again from a step on, as a new run",
    tag="Workflows",
    parameters=(*WORKFLOW, RUN, parameters.IDEMPOTENCY_KEY),
    body=body(WorkflowRetry, failed={}, step={"from": "analyze"}),
    answers={202: answer(WorkflowRunAnswer, "The new run.")},
    reasons=(*OF_A_RUN, *OF_A_BODY, Reason.INPUT_NOT_OPEN),
)
DECIDE = Operation(
    id="decideWorkflowStep",
    summary="Decide an approval",
    tag="Workflows",
    description="The first decision counts.",
    parameters=(*WORKFLOW, RUN, STEP),
    body=body(WorkflowDecision, yes={"approved": True}, no={"approved": False, "comment": "Not before May."}),
    answers={200: answer(WorkflowRunAnswer, "The run as it is now.")},
    reasons=(*OF_A_STEP, Reason.NOT_AN_ANSWERER),
)
SETTLE = Operation(
    id="settleWorkflowStep",
    summary="Say what came of a step that must not be repeated",
    tag="Workflows",
    parameters=(*WORKFLOW, RUN, STEP),
    body=body(WorkflowSettle, again={"outcome": "again"}, done={"outcome": "succeeded", "output": {"sent": True}}),
    answers={200: answer(WorkflowRunAnswer, "The run as it is now.")},
    reasons=OF_A_STEP,
)
SEND_EVENT = Operation(
    id="sendWorkflowEvent",
    summary="Send an event to a run",
    tag="Workflows",
    description="A step that waits for it goes on, or will not wait. The first event of a name counts.",
    parameters=(*WORKFLOW, RUN, EVENT),
    body=body(WorkflowEvent, nothing={}, payload={"payload": {"paid": True}}),
    answers={202: answer(WorkflowRunAnswer, "The run as it is now.")},
    reasons=(*OF_A_RUN, *OF_A_BODY, Reason.INPUT_NOT_OPEN),
)
DRAW_WORKFLOW = Operation(
    id="drawWorkflow",
    summary="Draw the steps of a workflow",
    tag="Workflows",
    parameters=WORKFLOW,
    answers={200: answer(WorkflowGraph, "The steps as Mermaid and as data.")},
    reasons=OF_A_WORKFLOW,
)
DRAW_RUN = Operation(
    id="drawWorkflowRun",
    summary="Draw the steps of a run with their states",
    tag="Workflows",
    parameters=(*WORKFLOW, RUN),
    answers={200: answer(WorkflowGraph, "The steps as Mermaid and as data.")},
    reasons=OF_A_RUN,
)
