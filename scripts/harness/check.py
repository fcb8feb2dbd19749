"""All checks of a folder .harness."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from scripts.harness import (
    belonging,
    conditions,
    expressions,
    gate_check,
    held,
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
from scripts.harness.templates import Expanded

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

    Raises:
        OSError: a file that every such folder has is not there.
    """
    return problems(read(folder), published)


def problems(folder: Folder, published: Schema | None) -> list[Problem]:
    """The same of a folder that was read. What differs from held.txt is named where nothing else is wrong."""
    found = _problems(folder, published)
    if not found:
        found = {*held.problems(_held(folder), held.FILE.read_text(encoding="utf-8"))}
    return sorted(found, key=str)


def hold(folder: Path, published: Schema | None) -> list[Problem]:
    """Write held.txt anew, unless something is wrong: that is returned as by `check`."""
    there = read(folder)
    found = _problems(there, published)
    if not found:
        held.FILE.write_text(held.text(_held(there)), encoding="utf-8")
    return sorted(found, key=str)


def _held(folder: Folder) -> list[held.Leaf]:
    return held.leaves(folder, [(pipeline, templates.expand(folder, pipeline)) for pipeline in folder.of("pipeline")])


def _problems(folder: Folder, published: Schema | None) -> set[Problem]:
    """All but what differs from held.txt.

    What has another shape than it should is all that is looked for at first: in the files, then in the pipelines with
    their templates put in. So all that comes later may take every key and every sort of value for granted.
    """
    found = {*folder.problems, *_written(folder, published)}
    if not found:
        runs = [(pipeline, templates.expand(folder, pipeline)) for pipeline in folder.of("pipeline")]
        found = {problem for pipeline, run in runs for problem in _shape(pipeline, run, published)}
        found = found or {*_meaning(folder, runs)}
    return found


def _written(folder: Folder, published: Schema | None) -> Iterator[Problem]:
    """The shape of the files, as far as they have one before templates are put in."""
    for entity in folder.entities:
        yield from shapes.problems(entity)
        yield from known.link_problems(entity)
        yield from known.input_problems(entity)
        if published and entity.kind == "trigger":
            yield from schema.trigger_problems(published, entity.file, entity.body)
        if published and entity.kind == "service":
            yield from schema.service_problems(published, entity.file, entity.body.get("serviceDefinition"))


def _shape(pipeline: Entity, run: Expanded, published: Schema | None) -> Iterator[Problem]:
    """The shape of a pipeline as it runs."""
    yield from run.problems
    yield from map(run.located, known.pipeline_problems(pipeline.file, run.tree))
    if published:
        yield from schema.written_problems(published, pipeline.file, pipeline.body)
        yield from map(run.located, schema.pipeline_problems(published, pipeline.file, run.tree))


def _meaning(folder: Folder, runs: Sequence[tuple[Entity, Expanded]]) -> Iterator[Problem]:
    """All that is left, once everything has its shape."""
    expanded = {pipeline.identifier: run.tree for pipeline, run in runs}
    for pipeline, run in runs:
        yield from map(run.located, _pipeline(folder, pipeline.file, run.tree))
    used = {file for _, run in runs for file in run.origins.values()}
    for template in folder.of("template"):
        if template.file not in used:
            yield Problem(
                template.file, ("template",), "no pipeline uses it, so it is not checked; use it or delete it"
            )
    yield from templates.input_problems(folder, expanded)
    for entity in folder.entities:
        yield from belonging.entity_problems(folder, entity)
        yield from templates.written_problems(entity)
        yield from references.step_problems(entity)
        if entity.kind != "pipeline":  # looked at as it runs
            yield from references.entity_problems(folder, entity.file, entity.body, (entity.kind,))
            yield from _expressions(folder, entity, expanded)
    yield from belonging.account_problems(folder)
    yield from references.file_problems(folder)
    yield from references.override_problems(folder)
    yield from references.shared_problems(folder)
    yield from references.trigger_problems(folder, expanded)
    yield from gate_check.folder_problems(folder)


def _pipeline(folder: Folder, file: str, tree: Json) -> Iterator[Problem]:
    """A pipeline as it runs, with its templates put in."""
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
        owner = entity.body.get("pipelineIdentifier") or entity.body["pipeline"]["identifier"]
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
            try:
                documents = list(yaml.load_all(file.read_text(encoding="utf-8"), yaml.CSafeLoader))
            except (yaml.YAMLError, ValueError) as error:
                yield Problem(path, (), f"not YAML: {error}")
            else:
                yield from expressions.problems(path, documents, (), scopes)
