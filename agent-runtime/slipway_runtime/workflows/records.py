"""A workflow's run as the store has it: the run, its steps and its events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson

WHOLE = -1
"""The place of a step itself, where its elements have places from 0."""


class RunState(StrEnum):
    """What a run is."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    """For a person, an event or a time; no worker works on it."""
    NEEDS_ATTENTION = "needs_attention"
    """A step that must not be repeated may have acted: a person has to say what came of it."""
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = frozenset({RunState.DONE, RunState.FAILED, RunState.CANCELLED})
RESTING = frozenset({RunState.WAITING, RunState.NEEDS_ATTENTION})


class StepStatus(StrEnum):
    """What a step of a run is, or an element of one. One that has no row has not begun."""

    RUNNING = "running"
    RETRYING = "retrying"
    WAITING = "waiting"
    NEEDS_ATTENTION = "needs_attention"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"


OVER = frozenset({StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.SKIPPED})
"""A step's ends."""


@dataclass(frozen=True)
class NewWorkflowRun:
    """What starts a run.

    Args:
        workflow: `namespace/name`.
        caller: who starts it, as the store names callers (`Caller.owner`).
        input: a JSON object.
        run_id: the same for the same start, which then starts one run; None for one of its own.
        started_by: what it came by: `http`, `schedule`, `kafka`, `mcp`, `a2a`.
        statement: the gateway's signed word for the caller, which goes along when agents are called.
        trace: `traceparent` of the request.
    """

    workflow: str
    caller: str
    input: Mapping[str, Any]
    run_id: str | None = None
    started_by: str = "http"
    statement: str = ""
    trace: str = ""


@dataclass(frozen=True)
class WorkflowRun:
    """A run's row."""

    id: str
    workflow: str
    definition: str
    caller: str
    started_by: str
    statement: str
    trace: str
    input: Mapping[str, Any]
    state: RunState
    segment: int
    attempt: int
    worker: str
    news: int
    last_event: int
    created: float
    changed: float
    deadline: float
    wake_at: float | None = None
    ended: float | None = None
    output: Any = None
    reason: str | None = None
    message: str | None = None
    failed_step: str | None = None
    retry_of: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As the HTTP API has it, without its steps."""
        output = self.output if self.state is RunState.DONE else None
        whole = {**self.in_short(), "input": self.input, "output": output}
        return {key: value for key, value in whole.items() if value is not None}

    def in_short(self) -> dict[str, Any]:
        """As lists have it: without what went in and what came out."""
        values = {
            "run_id": self.id,
            "workflow": self.workflow,
            "state": self.state.value,
            "started_by": self.started_by,
            "caller": self.caller,
            "created": self.created,
            "changed": self.changed,
            "deadline": self.deadline,
            "ended": self.ended,
            "last_event": self.last_event,
            "reason": self.reason,
            "message": self.message,
            "step": self.failed_step,
            "retry_of": self.retry_of,
        }
        return {key: value for key, value in values.items() if value is not None}


@dataclass(frozen=True)
class StepRow:
    """A step's row, or that of one of its elements.

    Args:
        agent: which agent was chosen, without the namespace.
        details: of an approval the message, the groups and the expiry; of a step with `requires` the agents that it
            could have been; of a map the number of elements.
        not_before: of a step that is tried again, when; of one that waits, until when.
    """

    name: str
    place: int
    state: StepStatus
    attempts: int = 0
    agent: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    output: Any = None
    reason: str | None = None
    message: str | None = None
    began: float | None = None
    ended: float | None = None
    not_before: float | None = None

    @property
    def key(self) -> tuple[str, int]:
        """Which one it is."""
        return self.name, self.place

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.state in OVER

    def to_json(self) -> dict[str, Any]:
        """As the HTTP API has it."""
        values = {
            "step": self.name,
            "index": None if self.place == WHOLE else self.place,
            "state": self.state.value,
            "attempts": self.attempts,
            "agent": self.agent,
            "output": self.output if self.state is StepStatus.SUCCEEDED else None,
            "reason": self.reason,
            "message": self.message,
            "began": self.began,
            "ended": self.ended,
            "until": self.not_before if self.state in (StepStatus.WAITING, StepStatus.RETRYING) else None,
            **self.details,
        }
        return {key: value for key, value in values.items() if value is not None}


SHOWN_BYTES = 64 * 1024
"""Of an output that an event has; a longer one is in the run and its steps."""


def shown_output(output: Any) -> dict[str, Any]:
    """What an event has of an output: all of it, or its size and where it is."""
    size = len(orjson.dumps(output))
    if size <= SHOWN_BYTES:
        return {"output": output}
    return {"output_bytes": size, "hint": "The output is too long for an event: GET runs/{run} has it."}


LAST_EVENTS = frozenset({"done", "failed", "cancelled"})
"""Types of the event that ends a run, each for ever."""


@dataclass(frozen=True)
class RunEvent:
    """Something that happened in a run, numbered from 1.

    `queued`, `started` (attempt), `step_started` (step, index, attempt, agent), `step_retrying` (reason, message,
    until), `step_ended` (state, output where it is small, reason, message), `input_required` (step, kind, message,
    groups, until), `input_given` (step, by, approved), `event_received` (event), `needs_attention` (step), `settled`
    (step, by), and at the end `done` (output where it is small), `failed` (reason, message, step) or `cancelled`.
    """

    seq: int
    at: float
    type: str
    data: Mapping[str, Any]

    def to_json(self, run_id: str) -> dict[str, Any]:
        """As it goes over the wire."""
        return {"type": self.type, "run_id": run_id, "at": self.at, **self.data}
