"""The operations of the paths of workflows, and their bodies."""

from typing import Any

from slipway_runtime.gateway.openapi import parameters
from slipway_runtime.gateway.openapi.bodies import RUN_ID, Body, example
from slipway_runtime.gateway.openapi.operations import Operation, answer, body
from slipway_runtime.gateway.openapi.parameters import path_parameter
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


class WorkflowBegun(Body):
    """A run that has begun."""

    model_config = example(run_id=RUN_ID)
    run_id: str


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
        202: answer(WorkflowBegun, "The run has begun."),
        200: {
            "description": "The run's events.",
            "content": {EVENT_STREAM: {"schema": {"type": "string"}, "example": EVENTS}},
        },
    },
    reasons=(*OF_A_WORKFLOW, *OF_A_BODY),
)
