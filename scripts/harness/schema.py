"""Harness's own schema of pipelines and triggers (harness/harness-schema, v0), applied twice.

As it is, it catches wrong values and leaves nearly every object open, so that a misspelt key passes. The second pass
closes the stages and steps. The schema has no licence and is therefore not in this repository: its folder is named by
the variable HARNESS_SCHEMA_DIR, and without it these passes do not take place, which the report says.
"""

import copy
import functools
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from jsonschema import Draft7Validator, Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from scripts.harness.folder import Entity, Json
from scripts.harness.problems import HarnessProblem, walk
from scripts.harness.problems import Path as Keys

VARIABLE = "HARNESS_SCHEMA_DIR"
CLOSED = re.compile(r"[A-Z]\w*(StepInfo|StageConfig|StageConfigImpl|StepNode|StageNode)")
STRAY = re.compile(r"'([^']+)'")


@dataclass(frozen=True)
class Schema:
    """The validators of one version of the schema."""

    pipeline: Draft7Validator
    strict: Draft202012Validator
    service: Draft7Validator
    trigger: Draft7Validator


def given() -> Path | None:
    """The folder that HARNESS_SCHEMA_DIR names, if it does."""
    value = os.environ.get(VARIABLE)
    return Path(value) if value else None


@functools.cache
def load(folder: Path) -> Schema:
    """Read pipeline.json and trigger.json (4 MB), once a process. Raises OSError where they are missing."""
    pipeline = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
    trigger = json.loads((folder / "trigger.json").read_text(encoding="utf-8"))
    service = {"$ref": "#/definitions/pipeline/stages/cd/ServiceDefinition", "definitions": pipeline["definitions"]}
    return Schema(
        Draft7Validator(pipeline),
        Draft202012Validator(closed(pipeline)),
        Draft7Validator(service),
        Draft7Validator(trigger),
    )


def closed(schema: Json) -> Json:
    """A copy in which stages and steps refuse keys that no part of their definition names."""
    strict = copy.deepcopy(schema)
    mixed_in = {name for node in _nodes(strict) for name in _mixed_in(node)}
    for node in _nodes(strict):
        node.pop("$schema", None)
    for name, node in _definitions(strict):
        titled = isinstance(node.get("title"), str) and isinstance(node.get("properties"), dict)
        if titled and CLOSED.fullmatch(name) and name not in mixed_in:
            # Unlike additionalProperties it sees what allOf adds.
            node["unevaluatedProperties"] = False
    return strict


def _nodes(schema: Json) -> list[dict[str, Json]]:
    return [node for _, node in walk(schema) if isinstance(node, dict)]


def _mixed_in(node: Mapping[str, Json]) -> Iterator[str]:
    """Names of definitions that a node takes in by allOf: closed, they would refuse the keys of whoever does."""
    parts = node.get("allOf")
    for part in parts if isinstance(parts, list) else []:
        if isinstance(part, dict) and isinstance(part.get("$ref"), str):
            yield part["$ref"].rpartition("/")[2]


def _definitions(schema: Json) -> Iterator[tuple[str, dict[str, Json]]]:
    """Every definition with its name. They are nested in folders: definitions/pipeline/steps/cd/NAME."""
    folders = [schema["definitions"]]
    while folders:
        for name, node in folders.pop().items():
            if isinstance(node, dict):
                yield name, node
                if "properties" not in node:
                    folders.append(node)


def pipeline_problems(schema: Schema, file: str, pipeline: Json) -> Iterator[HarnessProblem]:
    """What both passes find in an expanded pipeline (the value under the key `pipeline`)."""
    document = {"pipeline": pipeline}
    # The second pass would repeat what the first one found, in more words.
    yield from list(_loose(schema.pipeline, file, document)) or _strays(schema, file, document)


def written_problems(schema: Schema, entity: Entity) -> Iterator[HarnessProblem]:
    """What the schema as it is finds in a file as it is written, with its templates named."""
    if entity.kind in ("pipeline", "trigger"):
        validator = schema.pipeline if entity.kind == "pipeline" else schema.trigger
        yield from _loose(validator, entity.file, {entity.kind: entity.body})
    if entity.kind == "service":
        yield from _loose(schema.service, entity.file, entity.body.get("serviceDefinition"))


def _loose(validator: Draft7Validator, file: str, document: Json) -> Iterator[HarnessProblem]:
    for error in validator.iter_errors(document):
        best = best_match([error]) or error
        message = best.message if len(best.message) < 300 else f"...{best.message[-300:]}"
        yield HarnessProblem(file, tuple(best.absolute_path), f"against Harness's schema: {message}")


def wrapped(node: Json, path: Keys = ()) -> Iterator[tuple[Keys, str, Mapping[str, Json]]]:
    """Every stage and step in a pipeline: its path, `stage` or `step`, and its mapping."""
    for where, part in walk(node, path):
        if (
            len(where) > len(path)
            and where[-1] in ("stage", "step")
            and isinstance(part, dict)
            and "templateInputs" not in where
        ):
            yield where, str(where[-1]), part


def _strays(schema: Schema, file: str, document: Json) -> set[HarnessProblem]:
    """Keys that no definition names. Where something inside of `spec` is wrong, all of it counts as stray in the many
    steps that were not meant; such echoes are left out, unless there is nothing else to show."""
    errors = [error for root in schema.strict.iter_errors(document) for error in _deepest_strays(root)]
    clear = [error for error in errors if "spec" not in STRAY.findall(error.message)]
    return {HarnessProblem(file, tuple(error.absolute_path), _unknown_key(error)) for error in clear or errors}


def _deepest_strays(error: ValidationError) -> Iterator[ValidationError]:
    """The innermost findings of a stray key."""
    inner = [found for part in error.context or [] for found in _deepest_strays(part)]
    if inner:
        yield from inner
    elif error.validator == "unevaluatedProperties":
        yield error


def _unknown_key(error: ValidationError) -> str:
    names = ", ".join(f"`{name}`" for name in STRAY.findall(error.message))
    return f"unknown key {names} at this place; Harness would ignore it"
