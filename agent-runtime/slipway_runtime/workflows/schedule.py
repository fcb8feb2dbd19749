"""What of a run may begin, what is left out, and how the run ends: pure decisions over its steps."""

from collections.abc import Iterator, Mapping
from typing import Any

from slipway_crds.workflows.model import WorkflowStep
from slipway_runtime.workflows.definition import WorkflowDefinition
from slipway_runtime.workflows.expressions import ExpressionFailed, Variables, evaluate
from slipway_runtime.workflows.records import WHOLE, RunState, StepRow, StepStatus, WorkflowRun
from slipway_runtime.workflows.rows import Ending
from slipway_runtime.workflows.schemas import misfit

Rows = Mapping[tuple[str, int], StepRow]


def variables(run: WorkflowRun, rows: Rows) -> Variables:
    """What expressions see."""
    whole = [row for row in rows.values() if row.place == WHOLE]
    return {
        "input": run.input,
        "steps": {row.name: row.output for row in whole if row.state is StepStatus.SUCCEEDED},
        "failed": {
            row.name: {"reason": row.reason, "message": row.message} for row in whole if row.state is StepStatus.FAILED
        },
        "run": {"id": run.id, "workflow": run.workflow, "started_by": run.started_by},
    }


def ready(definition: WorkflowDefinition, rows: Rows) -> Iterator[WorkflowStep]:
    """Steps that have not begun and whose needs have all ended, in the order of the manifest.

    They are found one by one, so what became of one counts for the next: nothing begins once the run is to fail.
    """
    for step in definition.spec.steps:
        if failure(definition, rows) is not None:
            return
        needs = [rows.get((name, WHOLE)) for name in step.needs]
        if (step.name, WHOLE) not in rows and all(need is not None and need.over for need in needs):
            yield step


def is_done(step: WorkflowStep, run: WorkflowRun, rows: Rows) -> bool:
    """Whether a step that may begin is done at all.

    Raises:
        ExpressionFailed: if its `if` has no value, or one that is neither true nor false.
    """
    if step.condition is None:
        return all(rows[name, WHOLE].state is not StepStatus.SKIPPED for name in step.needs)
    value = evaluate(step.condition, variables(run, rows))
    if not isinstance(value, bool):
        raise ExpressionFailed(f"{step.condition[:120]}: is neither true nor false")
    return value


def ending(definition: WorkflowDefinition, run: WorkflowRun, rows: Rows) -> Ending | None:
    """How a run ends now; None while it goes on."""
    if (failed := failure(definition, rows)) is not None:
        return failed
    if any(not _over(rows.get((step.name, WHOLE))) for step in definition.spec.steps):
        return None
    try:
        output = _output(definition, run, rows)
    except ExpressionFailed as error:
        return Ending(RunState.FAILED, reason="ExpressionFailed", message=f"spec.output.value: {error}")
    schema = definition.spec.output.json_schema if definition.spec.output else None
    if schema is not None and (problem := misfit(schema, output)):
        return Ending(RunState.FAILED, reason="OutputDoesNotFit", message=f"the output of the run {problem}")
    return Ending(RunState.DONE, output=output)


def failure(definition: WorkflowDefinition, rows: Rows) -> Ending | None:
    """How a run fails, if a step has failed whose failure is the run's."""
    for step in definition.spec.steps:
        row = rows.get((step.name, WHOLE))
        if row is not None and row.state is StepStatus.FAILED and step.on_failure == "Fail":
            return Ending(RunState.FAILED, reason=row.reason, message=row.message, step=step.name)
    return None


def _over(row: StepRow | None) -> bool:
    return row is not None and row.over


def _output(definition: WorkflowDefinition, run: WorkflowRun, rows: Rows) -> Any:
    seen = variables(run, rows)
    if definition.spec.output is None:
        return seen["steps"]
    return evaluate(definition.spec.output.value, seen)


def previous_results(definition: WorkflowDefinition, step: WorkflowStep, rows: Rows) -> dict[str, Any]:
    """The outputs of the steps before a step, by name."""
    return {
        row.name: row.output
        for row in rows.values()
        if row.place == WHOLE and row.state is StepStatus.SUCCEEDED and row.name in definition.earlier[step.name]
    }
