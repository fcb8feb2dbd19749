"""All checks of a folder .harness."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import yaml

from scripts.harness import (
    belonging,
    conditions,
    expressions,
    gate_check,
    known,
    references,
    schema,
    shapes,
    templates,
    turns,
)
from scripts.harness.expressions import Scope
from scripts.harness.folder import Entity, Folder, Json, read
from scripts.harness.problems import Problem
from scripts.harness.schema import Schema

USED_BY_STAGES = {
    "service": [("spec.service.serviceRef", "identifier")],
    "environment": [("spec.environment.environmentRef", "identifier")],
    "infrastructureDefinition": [("spec.environment.infrastructureDefinitions.0.identifier", "identifier")],
    "overrides": [
        ("spec.environment.environmentRef", "environmentRef"),
        ("spec.service.serviceRef", "serviceRef"),
    ],
}
"""Where a stage names an entity, and by which of the entity's keys. Known beforehand, since templates are put in."""


def check(folder: Path, published: Schema | None) -> list[Problem]:
    """What is wrong with the folder, sorted; empty if nothing is.

    Args:
        folder: .harness; its parent is the repository.
        published: Harness's schema; without it the passes that need it do not take place.
    """
    everything = read(folder)
    shaped = (problem for entity in everything.entities for problem in shapes.problems(entity))
    # What is no mapping where keys are looked up would end all other checks.
    readable = replace(everything, entities=tuple(filter(shapes.fit, everything.entities)))
    return sorted({*everything.problems, *shaped, *_all(readable, published)}, key=str)


def _all(folder: Folder, published: Schema | None) -> Iterator[Problem]:
    expanded: dict[str, Json] = {}
    used: set[str] = set()
    for pipeline in folder.of("pipeline"):
        run = templates.expand(folder, pipeline)
        expanded[pipeline.identifier] = run.tree
        used.update(run.origins.values())
        yield from run.problems
        yield from map(run.located, _pipeline(folder, pipeline.file, run.tree, published))
    for template in folder.of("template"):
        if template.file not in used:
            yield Problem(
                template.file, ("template",), "no pipeline uses it, so it is not checked; use it or delete it"
            )
    yield from templates.input_problems(folder, expanded)
    for entity in folder.entities:
        yield from belonging.entity_problems(folder, entity)
        yield from known.link_problems(entity)
        yield from known.input_problems(entity)
        yield from templates.written_problems(entity)
        yield from references.step_problems(entity)
        yield from _published(entity, published)
        if entity.kind != "pipeline":  # looked at as it runs
            yield from references.entity_problems(folder, entity.file, entity.body, (entity.kind,))
            yield from _expressions(folder, entity, expanded)
    yield from belonging.account_problems(folder)
    yield from references.file_problems(folder)
    yield from references.override_problems(folder)
    yield from references.shared_problems(folder)
    yield from references.trigger_problems(folder, expanded)
    yield from gate_check.folder_problems(folder)


def _published(entity: Entity, published: Schema | None) -> Iterator[Problem]:
    """What Harness's schema says of a file as it is written."""
    body = dict(entity.body)
    if published and entity.kind == "pipeline":
        yield from schema.written_problems(published, entity.file, body)
    if published and entity.kind == "trigger":
        yield from schema.trigger_problems(published, entity.file, body)
    if published and entity.kind == "service":
        yield from schema.service_problems(published, entity.file, body.get("serviceDefinition"))


def _pipeline(folder: Folder, file: str, tree: Json, published: Schema | None) -> Iterator[Problem]:
    """A pipeline as it runs, with its templates put in."""
    if published:
        yield from schema.pipeline_problems(published, file, tree)
    yield from known.pipeline_problems(file, tree)
    if not known.fit(tree):
        return
    yield from conditions.problems(file, tree)
    yield from gate_check.pipeline_problems(file, tree)
    yield from references.pipeline_problems(folder, file, tree)
    yield from references.entity_problems(folder, file, tree, ("pipeline",))
    yield from belonging.pipeline_problems(folder, file, tree)
    yield from expressions.pipeline_problems(folder, file, tree)


def _expressions(folder: Folder, entity: Entity, expanded: dict[str, Json]) -> Iterator[Problem]:
    """Of entities that no pipeline holds. Templates were looked at inside the pipelines that use them."""
    if entity.kind in USED_BY_STAGES:
        wanted = {
            key: str(entity.body.get(field)) for key, field in USED_BY_STAGES[entity.kind] if field in entity.body
        }
        scopes = list(_stages(folder, expanded, wanted))
        if not scopes:
            yield Problem(entity.file, (entity.kind,), "no stage of a pipeline uses it; use it or delete the file")
        yield from expressions.problems(entity.file, entity.body, (entity.kind,), scopes)
        if entity.kind == "service":
            yield from _deployed(folder, entity, scopes)
    elif entity.kind != "template":
        owner = entity.body.get("pipelineIdentifier") or entity.body.get("pipeline", {}).get("identifier")
        trees = [expanded[owner]] if owner in expanded else list(expanded.values())
        scopes = [Scope(folder, tree) for tree in trees]
        yield from expressions.problems(entity.file, entity.body, (entity.kind,), scopes)


def _stages(folder: Folder, expanded: dict[str, Json], wanted: Mapping[str, str]) -> Iterator[Scope]:
    """The stages that hold these values at these paths."""
    for tree in expanded.values():
        for placed in turns.stages(tree).values():
            if all(turns.value(placed.node, path) == name for path, name in wanted.items()):
                yield Scope(folder, tree, placed.node)


def _deployed(folder: Folder, service: Entity, scopes: Sequence[Scope]) -> Iterator[Problem]:
    """The files that a service deploys, in each stage that deploys it."""
    for _, path in references.source_files(folder, service):
        file = folder.root / path
        if file.is_file():
            documents = list(yaml.load_all(file.read_text(encoding="utf-8"), yaml.CSafeLoader))
            yield from expressions.problems(path, documents, (), scopes)
