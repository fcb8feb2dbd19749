"""All checks of a folder .harness."""

from collections.abc import Iterator
from pathlib import Path

import yaml

from scripts.harness import expressions, known, references, schema, shapes, templates
from scripts.harness.expressions import Scope
from scripts.harness.folder import Entity, Folder, Json, read
from scripts.harness.problems import Problem
from scripts.harness.schema import Schema


def check(folder: Path, published: Schema | None) -> list[Problem]:
    """What is wrong with the folder, sorted; empty if nothing is.

    Args:
        folder: .harness; its parent is the repository.
        published: Harness's schema; without it the passes that need it do not take place.
    """
    everything = read(folder)
    return sorted({*everything.problems, *_all(everything, published)}, key=str)


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
        yield from shapes.problems(entity)
        yield from known.link_problems(entity)
        yield from _published(entity, published)
        if entity.kind != "pipeline":  # looked at as it runs
            yield from references.entity_problems(folder, entity.file, entity.body, (entity.kind,))
            yield from _expressions(folder, entity, expanded)
    yield from _services(folder, expanded)
    yield from references.file_problems(folder)
    yield from references.override_problems(folder)
    yield from references.trigger_problems(folder, expanded)


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
    yield from references.pipeline_problems(folder, file, tree)
    yield from references.entity_problems(folder, file, tree, ("pipeline",))
    yield from expressions.pipeline_problems(folder, file, tree, _environment_variables(folder))


def _environment_variables(folder: Folder) -> frozenset[str]:
    """Those that all environments have, since a template may run in any."""
    named = [references.variables(environment) for environment in folder.of("environment")]
    return frozenset.intersection(*named) if named else frozenset()


def _expressions(folder: Folder, entity: Entity, expanded: dict[str, Json]) -> Iterator[Problem]:
    """Of entities that no pipeline holds. Templates were looked at inside the pipelines that use them."""
    if entity.kind in ("template", "service"):
        return
    owner = entity.body.get("pipelineIdentifier") or entity.body.get("pipeline", {}).get("identifier")
    trees = [expanded[owner]] if owner in expanded else list(expanded.values())
    scopes = [Scope(folder, tree) for tree in trees]
    yield from expressions.problems(entity.file, entity.body, (entity.kind,), scopes)


def _services(folder: Folder, expanded: dict[str, Json]) -> Iterator[Problem]:
    """Services and the files they deploy, in each pipeline that deploys them."""
    for service in folder.of("service"):
        users = [
            tree
            for tree in expanded.values()
            if any(key == "serviceRef" and value == service.identifier for _, key, value in references.keyed(tree))
        ]
        if not users:
            yield Problem(service.file, ("service",), "no pipeline deploys it; use it or delete the file")
        scopes = [Scope(folder, tree, service_variables=references.variables(service)) for tree in users]
        yield from expressions.problems(service.file, service.body, ("service",), scopes)
        for _, path in references.source_files(folder, service):
            file = folder.root / path
            if file.is_file():
                documents = list(yaml.load_all(file.read_text(encoding="utf-8"), yaml.CSafeLoader))
                yield from expressions.problems(path, documents, (), scopes)
