"""What of a Workflow a schema and CEL rules cannot say: references in vain, circles, and expressions that are wrong."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from slipway_crds.agents.model import Agent
from slipway_crds.indexes.model import VectorIndex
from slipway_crds.outputschema import schema_problem
from slipway_crds.references import Objects, look_up, ref_to
from slipway_crds.resolve import ResolveProblem, Severity
from slipway_crds.runtimeconfig import CAPABILITIES
from slipway_crds.schedules import InvalidSchedule, Schedule
from slipway_crds.workflows.expressions import InvalidExpression, check, in_value, steps_read
from slipway_crds.workflows.model import IndexSearch, MapOver, Workflow, WorkflowStep
from slipway_crds.workflows.needs import before, cycle


def searches(workflow: Workflow) -> Iterator[tuple[str, IndexSearch]]:
    """The searches of a workflow, by path."""
    for place, step in enumerate(workflow.spec.steps):
        if step.search is not None:
            yield f"spec.steps[{place}].search", step.search
        if step.map is not None and step.map.search is not None:
            yield f"spec.steps[{place}].map.search", step.map.search


def resolve_workflow(workflow: Workflow, objects: Objects) -> tuple[ResolveProblem, ...]:
    """Everything that keeps a workflow from taking runs; nothing where nothing does."""
    return (*_missing(workflow, objects), *_wrong(workflow))


def _missing(workflow: Workflow, objects: Objects) -> Iterator[ResolveProblem]:
    namespace = workflow.metadata.namespace
    for path, called in _calls(workflow):
        if called.agent_ref is not None and look_up(objects, Agent, namespace, called.agent_ref.name) is None:
            message = f"there is no Agent {called.agent_ref.name} in namespace {namespace}: apply or correct it"
            yield _problem(workflow, Severity.WAITING, f"{path}.agentRef.name", "WaitingForAgent", message)
    for path, called in _calls(workflow):
        if called.requires and not able(called.requires, objects, namespace):
            wanted = ", ".join(sorted(set(called.requires)))
            message = f"no Agent in namespace {namespace} has all of these: {wanted}; apply one, or correct it"
            yield _problem(workflow, Severity.WAITING, f"{path}.requires", "WaitingForCapability", message)
    for path, search in searches(workflow):
        if look_up(objects, VectorIndex, namespace, search.index_ref.name) is None:
            message = (
                f"there is no VectorIndex {search.index_ref.name} in namespace {namespace}: apply it, or correct it"
            )
            yield _problem(workflow, Severity.WAITING, f"{path}.indexRef.name", "WaitingForIndex", message)


def able(capabilities: Collection[str], objects: Objects, namespace: str) -> list[str]:
    """Names of the agents of a namespace that have all of these capabilities, the one that is called first."""
    agents = (each for each in objects.values() if isinstance(each, Agent) and each.metadata.namespace == namespace)
    return sorted(each.metadata.name for each in agents if set(capabilities) <= set(_capabilities(each)))


def _capabilities(agent: Agent) -> Collection[str]:
    own = agent.spec.capabilities
    return CAPABILITIES[agent.spec.architecture] if own is None else own


def _calls(workflow: Workflow) -> Iterator[tuple[str, WorkflowStep | MapOver]]:
    for place, step in enumerate(workflow.spec.steps):
        yield f"spec.steps[{place}]", step
        if step.map is not None:
            yield f"spec.steps[{place}].map", step.map


def _wrong(workflow: Workflow) -> Iterator[ResolveProblem]:
    """What only an edit fixes."""
    steps = workflow.spec.steps
    if found := cycle(steps):
        way = " needs ".join(found)
        message = f"{way}: none of them can begin, so remove one of these needs"
        yield _problem(workflow, Severity.STALLED, "spec.steps", "CyclicSteps", message)
        return
    earlier = before(steps)
    for place, step in enumerate(steps):
        for path, value in _expressions(step):
            for problem in _expression_problems(value, earlier[step.name]):
                where = f"spec.steps[{place}].{path}"
                yield _problem(workflow, Severity.STALLED, where, "InvalidExpression", problem)
    if output := workflow.spec.output:
        everything = frozenset(step.name for step in steps)
        for problem in _expression_problems(f"${{{output.value}}}", everything):
            yield _problem(workflow, Severity.STALLED, "spec.output.value", "InvalidExpression", problem)
    yield from _wrong_triggers(workflow)
    for path, schema in _schemas(workflow):
        if problem := schema_problem(schema, any_type=path != "spec.input.schema"):
            yield _problem(workflow, Severity.STALLED, path, "InvalidSchema", problem)


def _wrong_triggers(workflow: Workflow) -> Iterator[ResolveProblem]:
    for place, trigger in enumerate(workflow.spec.triggers):
        path = f"spec.triggers[{place}]"
        if schedule := trigger.schedule:
            try:
                Schedule(schedule.cron, schedule.time_zone)
            except InvalidSchedule as error:
                yield _problem(workflow, Severity.STALLED, f"{path}.schedule", "InvalidSchedule", str(error))
        texts: dict[str, Any] = {"input": trigger.input}
        if trigger.kafka and trigger.kafka.deduplicate_by:
            texts["kafka.deduplicateBy"] = f"${{{trigger.kafka.deduplicate_by}}}"
        for name, value in texts.items():
            for problem in _expression_problems(value, frozenset()):
                yield _problem(workflow, Severity.STALLED, f"{path}.{name}", "InvalidExpression", problem)


def _expressions(step: WorkflowStep) -> Iterator[tuple[str, Any]]:
    """Texts with expressions, by their path in the step; what is an expression as a whole is put into braces."""
    if step.condition is not None:
        yield "if", f"${{{step.condition}}}"
    yield from _of_call("", step)
    if step.map is not None:
        yield "map.over", f"${{{step.map.over}}}"
        yield from _of_call("map.", step.map)
    if step.approval is not None:
        yield "approval.message", step.approval.message


def _of_call(path: str, called: WorkflowStep | MapOver) -> Iterator[tuple[str, Any]]:
    if called.ask is not None:
        yield f"{path}ask", called.ask
    if called.params is not None:
        yield f"{path}params", called.params
    if called.search is not None:
        yield f"{path}search.query", called.search.query


def _expression_problems(value: Any, readable: frozenset[str]) -> Iterator[str]:
    try:
        for expression in in_value(value):
            check(expression)
            for name in sorted(steps_read(expression) - readable):
                yield f"reads steps.{name}, which has not ended then: add it to needs, or correct the name"
    except InvalidExpression as error:
        yield str(error)


def _schemas(workflow: Workflow) -> Iterator[tuple[str, Mapping[str, Any]]]:
    spec = workflow.spec
    if spec.input is not None:
        yield "spec.input.schema", spec.input.json_schema
    if spec.output is not None and spec.output.json_schema is not None:
        yield "spec.output.schema", spec.output.json_schema
    for place, step in enumerate(spec.steps):
        if step.output is not None:
            yield f"spec.steps[{place}].output.schema", step.output.json_schema


def _problem(workflow: Workflow, severity: Severity, path: str, reason: str, message: str) -> ResolveProblem:
    return ResolveProblem(severity=severity, subject=str(ref_to(workflow)), path=path, reason=reason, message=message)
