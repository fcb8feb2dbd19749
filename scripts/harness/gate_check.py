"""Holding pipelines and triggers to the table of `gates`: nothing missing, nothing moved, nothing beside it."""

from collections.abc import Iterator, Mapping, Sequence

from scripts.harness import turns
from scripts.harness.folder import Entity, Folder, Json
from scripts.harness.gates import PIPELINES, TRIGGERS, Stage, Step, Trigger
from scripts.harness.problems import Path, Problem
from scripts.harness.templates import given

TABLE = "scripts/harness/gates.py"


def pipeline_problems(file: str, pipeline: Json) -> Iterator[Problem]:
    """Gates that an expanded pipeline lacks, and stages and steps that the table lacks."""
    wanted = PIPELINES.get(str(pipeline.get("identifier")))
    if wanted is None:
        yield Problem(file, ("pipeline", "identifier"), f"its gates are not written down; add them to {TABLE}")
        return
    there = turns.stages(pipeline)
    for extra in there.keys() - {stage.identifier for stage in wanted}:
        message = f"the stage {extra!r} is not in the table of gates; add it to {TABLE}, with what it stops"
        yield Problem(file, ("pipeline", "stages"), message)
    last: turns.Turn = (-1,)
    for stage in wanted:
        found = there.get(stage.identifier)
        if found is None:
            yield Problem(file, ("pipeline", "stages"), _missing("stage", stage.identifier, stage.stops))
            continue
        if found.turn <= last:
            message = f"the stage {stage.identifier!r} has its turn too early, so that it does not stop {stage.stops}"
            yield Problem(file, ("pipeline", "stages"), f"{message}; move it behind those before it in {TABLE}")
        last = max(last, found.turn)
        for message in _stage(found.node, stage):
            yield Problem(file, ("pipeline", "stages", stage.identifier), message)


def _missing(what: str, name: str, stops: str) -> str:
    return f"the {what} {name!r} is missing, which stops {stops}; put it back, or change {TABLE} with it"


def _stage(node: Mapping[str, Json], stage: Stage) -> Iterator[str]:
    yield from _steps(turns.step_list(node, "steps"), stage.steps)
    yield from _steps(turns.step_list(node, "rollbackSteps"), stage.rollback)
    yield from _condition(turns.value(node, "when.condition"), stage.only_if)
    for strategy in node.get("failureStrategies") or []:
        action = turns.value(strategy, "onFailure.action.type")
        if action != stage.on_failure:
            yield f"does {action} when something fails, which lets through what it should stop; do {stage.on_failure}"
    errors = [turns.value(strategy, "onFailure.errors") for strategy in node.get("failureStrategies") or []]
    if ["AllErrors"] not in errors:
        yield f"says nothing of most failures; write a failure strategy of AllErrors with {stage.on_failure}"
    environment = turns.value(node, "spec.environment.environmentRef")
    if environment != stage.environment:
        yield f"deploys to {environment!r} and should to {stage.environment!r}; correct environmentRef"


def _condition(condition: Json, only_if: Sequence[str]) -> Iterator[str]:
    """Parts that a condition lacks, and parts that it has beside: these skip the stage, and all that it stops."""
    parts = condition.split(" && ") if isinstance(condition, str) else []
    wanted = {variable: f'<+pipeline.variables.{variable}> == "yes"' for variable in only_if}
    for variable, comparison in wanted.items():
        if comparison not in parts:
            yield f"runs whatever {variable!r} says; write when.condition: {comparison}, joined to others by &&"
    for extra in sorted({*parts} - {*wanted.values()}):
        yield f"is skipped unless {extra}, and all that it stops gets through; remove that, or change {TABLE} with it"


def _steps(there: Sequence[turns.Placed], wanted: Sequence[Step]) -> Iterator[str]:
    left = list(there)
    last: turns.Turn = (-1,)
    for step in wanted:
        later = (other for other in left if other.turn > last or (step.beside and other.turn == last))
        found = next((other for other in later if name(other.node) == step.name), None)
        if found is None:
            yield _missing("step", step.name, step.stops) + " (or it has its turn too early: the table has the order)"
            continue
        left.remove(found)
        last = found.turn
    for extra in left:
        message = f"the step {name(extra.node)!r} is not in the table of gates at this place"
        yield f"{message}; remove it, or add it to {TABLE}"


def name(step: Mapping[str, Json]) -> str:
    """What the table calls a step: its type, or what a step of this type does."""
    match step.get("type"):
        case "Run":
            return str(turns.value(step, "spec.command"))
        case "IACMTerraformPlugin":
            return f"terraform {turns.value(step, 'spec.command')}"
        case "Verify":
            return f"Verify {turns.value(step, 'spec.type')}"
        case kind:
            return str(kind)


def folder_problems(folder: Folder) -> Iterator[Problem]:
    """Pipelines that are missing, and triggers that are missing, off, or run less or more than they should."""
    for identifier in PIPELINES.keys() - set(folder.names("pipeline")):
        message = f"the pipeline {identifier!r} is missing with all its gates; put it back, or change {TABLE} with it"
        yield Problem(f"{folder.name}/pipelines", (), message)
    for identifier, wanted in TRIGGERS.items():
        found = folder.find("trigger", identifier)
        if found is None:
            message = _missing("trigger", identifier, wanted.stops)
            yield Problem(f"{folder.name}/triggers", (), message)
        else:
            for path, message in _trigger(folder, found, wanted):
                yield Problem(found.file, ("trigger", *path), message)
    for trigger in folder.of("trigger"):
        if trigger.body.get("stagesToExecute"):
            message = "runs some stages only, and a stage that is left out is a gate that is left out; write []"
            yield Problem(trigger.file, ("trigger", "stagesToExecute"), message)
        if trigger.identifier not in TRIGGERS:
            message = f"the trigger {trigger.identifier!r} is not in the table of gates; add it to {TABLE}"
            yield Problem(trigger.file, ("trigger", "identifier"), message)


def _trigger(folder: Folder, trigger: Entity, wanted: Trigger) -> Iterator[tuple[Path, str]]:
    if trigger.body.get("enabled") is not True:
        yield ("enabled",), f"is off, which lets through {wanted.stops}; write true"
    source = turns.value(trigger.body, "source.spec.spec.type") or ""
    event = turns.value(trigger.body, "source.spec.type") if source == "UNIX" else source
    if event != wanted.event:
        yield ("source",), f"is fired by {event!r} and should be by {wanted.event!r}, to stop {wanted.stops}"
    inputs = given(folder, [str(name) for name in trigger.body.get("inputSetRefs") or []])
    for variable, value in wanted.runs_with.items():
        ours = turns.value(inputs, f"variables.{variable}")
        if ours != value:
            message = f"runs with {variable} {ours!r} and should with {value!r}, to stop {wanted.stops}"
            yield ("inputSetRefs",), f"{message}; name an input set that says so"
