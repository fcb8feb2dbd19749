"""Steps that wait: for a person, an event or a time. A wait is a row, and no worker is kept for it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from slipway_crds.workflows.model import EventWait, HumanApproval, WorkflowStep
from slipway_runtime.workflows.definition import seconds
from slipway_runtime.workflows.expressions import fill
from slipway_runtime.workflows.records import WHOLE, StepRow, StepStatus, WorkflowRun
from slipway_runtime.workflows.schedule import Rows, variables

Told = tuple[str, dict[str, Any]]


def begun(step: WorkflowStep, run: WorkflowRun, rows: Rows, *, now: float) -> tuple[StepRow | None, *tuple[Told, ...]]:
    """The row of a step that waits, and the event that tells of it; None for a step that does something.

    Raises:
        ExpressionFailed: if the message of an approval has no value.
    """
    if step.approval is not None:
        return _approval(step, step.approval, run, rows, now=now)
    if step.wait is not None:
        return _wait(step, step.wait, now=now)
    return (None,)


def _approval(
    step: WorkflowStep, approval: HumanApproval, run: WorkflowRun, rows: Rows, *, now: float
) -> tuple[StepRow, Told]:
    until = now + seconds(approval.expires)
    message = str(fill(approval.message, variables(run, rows)))
    details: dict[str, Any] = {"kind": "approval", "asks": message}
    if approval.groups is not None:
        details["groups"] = list(approval.groups)
    row = StepRow(step.name, WHOLE, StepStatus.WAITING, details=details, not_before=until)
    return row, ("input_required", {"step": step.name, **details, "until": until})


def _wait(step: WorkflowStep, wait: EventWait, *, now: float) -> tuple[StepRow, Told]:
    if wait.duration is not None:
        until = now + seconds(wait.duration)
        row = StepRow(step.name, WHOLE, StepStatus.WAITING, details={"kind": "time"}, not_before=until)
        return row, ("step_started", {"step": step.name, "until": until})
    until = now + seconds(step.timeout)
    details = {"kind": "event", "event": wait.event}
    row = StepRow(step.name, WHOLE, StepStatus.WAITING, details=details, not_before=until)
    return row, ("input_required", {"step": step.name, **details, "until": until})


def waited(step: WorkflowStep, row: StepRow, signals: Mapping[str, Any], *, now: float) -> StepRow | None:
    """The row of a step whose wait is over; None while it goes on."""
    over = row.not_before is not None and row.not_before <= now
    if step.wait is not None and step.wait.event is not None and step.wait.event in signals:
        return replace(row, state=StepStatus.SUCCEEDED, output=signals[step.wait.event], not_before=None)
    if not over:
        return None
    if step.wait is not None and step.wait.duration is not None:
        return replace(row, state=StepStatus.SUCCEEDED, output=None, not_before=None)
    if step.approval is not None:
        message = f"nobody decided within {step.approval.expires}, which is a denial"
        return replace(row, state=StepStatus.FAILED, reason="ApprovalExpired", message=message, not_before=None)
    message = f"the event {row.details.get('event')} did not come within {step.timeout}"
    return replace(row, state=StepStatus.FAILED, reason="StepTimeout", message=message, not_before=None)
