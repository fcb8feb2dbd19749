"""What a Workflow's status says."""

from collections.abc import Sequence
from dataclasses import dataclass

from slipway_crds.contract import NEEDS_ATTENTION, UNKNOWN_OUTCOME
from slipway_crds.resolve import ResolveProblem, Severity
from slipway_crds.workflows.report import WorkerReport
from slipway_operator.core.cache import Resource
from slipway_operator.core.conditions import Statement, Trouble, conditions, standing
from slipway_operator.core.manifests import JsonObject
from slipway_operator.core.plan import observed_conditions

LOOK_SECONDS = 15.0
SOON_SECONDS = 3.0
"""Until it is Ready."""
KEPT = ("lastRuns", "successRate", "nextSchedule", "needsAttention")
"""What is known of runs until somebody says otherwise."""


@dataclass(frozen=True, kw_only=True)
class WorkflowStanding:
    """What the status is about."""

    resource: Resource
    url: str
    problems: Sequence[ResolveProblem]
    """What keeps it from being resolved."""
    digest: str
    """Of its definition as it should be; empty if it is not resolved."""
    report: WorkerReport | None
    available: bool
    """Whether a worker is ready."""
    trouble: Trouble | None = None
    """Of the workers' pods."""
    store_problem: str = ""


def workflow_status(workflow: WorkflowStanding, *, now: float) -> tuple[JsonObject, float]:
    """The status, and in how many seconds to look again."""
    ready, trouble = _ready(workflow), workflow.trouble
    if stalled := next((each for each in workflow.problems if each.severity is Severity.STALLED), None):
        trouble = Trouble(stalled.reason, ready.message)
    progress = None
    if not ready.holds and ready.reason in ("WaitingForWorker", "DefinitionNotLoaded"):
        progress = Statement("Reconciling", True, ready.reason, ready.message)
    statements, phase = standing(ready, trouble=trouble, progress=progress)
    statements.append(_resolved(workflow, ready))
    resource, report = workflow.resource, workflow.report
    if report is not None and report.needs_attention:
        runs = "1 run waits" if report.needs_attention == 1 else f"{report.needs_attention} runs wait"
        said = f"{runs} until somebody has said what came of a step: list runs in the state needs_attention."
        statements.append(Statement(NEEDS_ATTENTION, True, UNKNOWN_OUTCOME, said))
    status: JsonObject = {
        "observedGeneration": resource.generation,
        "phase": phase,
        "url": workflow.url,
        "conditions": conditions(
            statements, observed=observed_conditions(resource), generation=resource.generation, now=now
        ),
    }
    if report is not None:
        status |= _of_runs(report)
    else:
        status |= {name: resource.status[name] for name in KEPT if resource.status.get(name) is not None}
    given = {name: value for name, value in status.items() if value is not None}
    return given, LOOK_SECONDS if ready.holds else SOON_SECONDS


def _of_runs(report: WorkerReport) -> JsonObject:
    runs = [each.model_dump(mode="json", by_alias=True, exclude_none=True) for each in report.last_runs]
    rate = report.success_rate
    return {
        "lastRuns": runs or None,
        "successRate": None if rate is None else f"{rate:.2f}",
        "nextSchedule": report.next_schedule,
        "needsAttention": report.needs_attention or None,
    }


def _ready(workflow: WorkflowStanding) -> Statement:
    if workflow.problems:
        worst = next((each for each in workflow.problems if each.severity is Severity.STALLED), workflow.problems[0])
        said = "; ".join(f"{each.path}: {each.message}" for each in workflow.problems)
        return Statement("Ready", False, worst.reason, said)
    if not workflow.available:
        if workflow.store_problem:
            return Statement("Ready", False, "WaitingForStore", workflow.store_problem)
        if workflow.trouble is not None:
            return Statement("Ready", False, workflow.trouble.reason, workflow.trouble.message)
        return Statement("Ready", False, "WaitingForWorker", "No worker of the namespace is ready yet.")
    report = workflow.report
    if report is None:
        return Statement("Ready", False, "WaitingForWorker", "The worker has not said yet what it has.")
    if report.digest != workflow.digest:
        said = "The worker has not read this definition yet. It gets it within two minutes."
        return Statement("Ready", False, "DefinitionNotLoaded", said)
    if report.problem:
        return Statement("Ready", False, "TriggerFailed", f"{report.problem.rstrip('.')}.")
    return Statement("Ready", True, "Serving", "Runs can begin.")


def _resolved(workflow: WorkflowStanding, ready: Statement) -> Statement:
    if workflow.problems:
        return Statement("Resolved", False, ready.reason, ready.message)
    return Statement("Resolved", True, "Resolved", "Everything that it refers to is there.")
