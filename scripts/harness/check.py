"""All checks of a folder .harness."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from scripts.harness import expressions, keys, references, schema, templates, turns
from scripts.harness.expressions import ExpressionScope
from scripts.harness.folder import Entity, Folder, Json, read
from scripts.harness.problems import HarnessProblem
from scripts.harness.schema import Schema

USED_BY_STAGES = {
    "service": {"spec.service.serviceRef": "identifier"},
    "environment": {"spec.environment.environmentRef": "identifier"},
    "infrastructureDefinition": {"spec.environment.infrastructureDefinitions.0.identifier": "identifier"},
    "overrides": {"spec.environment.environmentRef": "environmentRef", "spec.service.serviceRef": "serviceRef"},
}
"""Where a stage names an entity, and by which of the entity's keys. Known beforehand, since templates are put in."""


def check(folder: Path, published: Schema | None) -> list[HarnessProblem]:
    """What is wrong with the folder, sorted; empty if nothing is.

    Keys and Harness's schema come first: in the files, then in the pipelines with their templates put in. The rest is
    looked at once these are right.

    Args:
        folder: .harness; its parent is the repository.
        published: Harness's schema; without it the passes that need it do not take place.

    Raises:
        OSError: a file that every such folder has is not there.
    """
    there = read(folder)
    found = {*there.problems}
    for entity in there.entities:
        found.update(_read(entity.file, _written(entity, published)))
    trees: dict[str, Json] = {}
    for pipeline in there.of("pipeline") if not found else ():
        found.update(_read(pipeline.file, _expanded(there, pipeline, trees, published)))
    if not found:
        found.update(_read(there.name, _meaning(there, trees)))
    return sorted(found, key=str)


def _read(file: str, problems: Iterable[HarnessProblem]) -> Iterator[HarnessProblem]:
    """The problems, and one more where something has a form that no check counts on, such as a text for a list."""
    try:
        yield from problems
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        yield HarnessProblem(file, (), f"holds a value of another form than Harness's ({error}); compare its siblings")


def _written(entity: Entity, published: Schema | None) -> Iterator[HarnessProblem]:
    """What a file shows before templates are put in."""
    yield from keys.problems(entity)
    yield from templates.written_problems(entity)
    if published:
        yield from schema.written_problems(published, entity)


def _expanded(
    folder: Folder, pipeline: Entity, trees: dict[str, Json], published: Schema | None
) -> Iterator[HarnessProblem]:
    """What a pipeline shows as it runs, which is put into `trees`."""
    expanded = templates.expand(folder, pipeline)
    trees[pipeline.identifier] = expanded.tree
    yield from expanded.problems
    if published:
        yield from map(expanded.located, schema.pipeline_problems(published, pipeline.file, expanded.tree))


def _meaning(folder: Folder, trees: Mapping[str, Json]) -> Iterator[HarnessProblem]:
    """References, inputs and expressions."""
    for pipeline in folder.of("pipeline"):
        tree = trees[pipeline.identifier]
        yield from _read(pipeline.file, references.pipeline_problems(folder, pipeline.file, tree))
        yield from _read(pipeline.file, references.entity_problems(folder, pipeline.file, tree, ("pipeline",)))
        yield from _read(pipeline.file, expressions.pipeline_problems(folder, pipeline.file, tree))
    for entity in folder.entities:
        if entity.kind != "pipeline":  # looked at as it runs
            yield from _read(entity.file, _entity(folder, entity, trees))
    yield from templates.input_problems(folder, trees)
    yield from references.file_problems(folder)
    yield from references.override_problems(folder)
    yield from references.trigger_problems(folder, trees)


def _entity(folder: Folder, entity: Entity, trees: Mapping[str, Json]) -> Iterator[HarnessProblem]:
    yield from references.entity_problems(folder, entity.file, entity.body, (entity.kind,))
    if entity.kind == "template":
        return  # its expressions were looked at inside the pipelines that use it
    if entity.kind not in USED_BY_STAGES:
        owner = entity.body.get("pipelineIdentifier") or entity.body["pipeline"]["identifier"]
        scopes = [ExpressionScope(folder, tree) for name, tree in trees.items() if owner in (name, None)]
        yield from expressions.problems(entity.file, entity.body, (entity.kind,), scopes)
        return
    named = {key: str(entity.body[by]) for key, by in USED_BY_STAGES[entity.kind].items() if by in entity.body}
    scopes = [
        ExpressionScope(folder, tree, stage.node)
        for tree in trees.values()
        for stage in turns.stages(tree).values()
        if all(turns.value(stage.node, path) == name for path, name in named.items())
    ]
    if not scopes:
        yield HarnessProblem(entity.file, (entity.kind,), "no stage of a pipeline uses it; use it or delete the file")
    yield from expressions.problems(entity.file, entity.body, (entity.kind,), scopes)
    for _, path in references.source_files(folder, entity):
        if (folder.root / path).is_file():
            yield from expressions.problems(path, (folder.root / path).read_text(encoding="utf-8"), (), scopes)
