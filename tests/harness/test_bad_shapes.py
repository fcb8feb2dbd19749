"""A file of another shape than it should have is refused by its place, and nothing that looks further meets it."""

import copy as copies
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.harness.check import check, problems
from scripts.harness.folder import Json, read
from tests.harness.conftest import REPOSITORY, Break

FOLDER = read(REPOSITORY / ".harness")
INSTEAD: tuple[Json, ...] = (5, ["a"], {"a": "b"}, None, "x")
TRIES = 200


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("services/gitops.yaml", "        - manifest:\n", "        - x\n        - manifest:\n", "manifests.0"),
        ("environments/dev.yaml", "  variables:\n", "  variables: [x]\n  description: |\n", "environment.variables.0"),
        (
            "pipelines/gitops-pr.yaml",
            "  variables:\n",
            "  variables: [x]\n  description: |\n",
            "variables.0: 'x' is no mapping",
        ),
        (
            "pipelines/slipway.yaml",
            "  variables:\n",
            "  variables: 5\n  description: |\n",
            "pipeline.variables: 5 is no list with something in it; write one",
        ),
        (
            "pipelines/slipway.yaml",
            "identifier: scan_sources",
            "identifier: [a]",
            "pipeline.stages.1.stage.identifier: ['a'] is no text; write one",
        ),
        (
            "pipelines/slipway.yaml",
            "templateRef: make",
            "templateRef: [a]",
            "template.templateRef: ['a'] is no text; write one",
        ),
        (
            "input-sets/registry.yaml",
            "    identifier: slipway\n",
            "    identifier: [a]\n",
            "inputSet.pipeline.identifier: Input should be a valid string",
        ),
        (
            "templates/approve.yaml",
            "  spec:\n    type: Harn",
            "  sepc:\n    type: Harn",
            "template.spec: the key 'spec' is missing",
        ),
        ("environments/dev.yaml", "tags: {}", "tags: {on: a}", "dev.yaml: line 7: the key True is no text; put it in"),
        ("account.yaml", "  slipway_dev:\n    environment", "  a: b\n  slipway_dev:\n    environment", "workspaces.a"),
    ],
)
def test_refused(after: Break, file: str, old: str, new: str, message: str) -> None:
    found = [str(problem) for problem in after(file, old, new)]
    assert any(message in problem for problem in found), found


@pytest.mark.parametrize("file", ["account.yaml", "expressions.yaml", "triggers/main.yaml"])
def test_a_file_that_is_no_mapping_is_refused_alone(copy: Path, file: str) -> None:
    (copy / file).write_text("x\n")
    message = f".harness/{file}: holds no mapping; see the other files of this folder"
    assert [str(problem) for problem in check(copy, None)] == [message]


def test_whatever_stands_in_a_place_ends_no_check() -> None:
    chance = random.Random(0)
    every = [(entity, path) for entity in FOLDER.entities for path in _places(entity.body) if path]
    for number, (entity, path) in enumerate(chance.sample(every, TRIES)):
        body = copies.deepcopy(dict(entity.body))
        holder: Json = body
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = INSTEAD[number % len(INSTEAD)]
        others = (other for other in FOLDER.entities if other is not entity)
        found = problems(replace(FOLDER, entities=(replace(entity, body=body), *others)), None)
        assert found or holder[path[-1]] == "x", f"{entity.file}: {path}"  # a text may stand where another did


def _places(node: Json, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, part in children:
        yield from _places(part, (*path, key))
