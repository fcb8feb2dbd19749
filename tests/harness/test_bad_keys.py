"""A misspelt key is refused, though Harness would ignore it and open a gate."""

import copy as copies
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.harness import keys
from scripts.harness.check import check
from scripts.harness.folder import Json, read
from tests.harness.conftest import REPOSITORY, Break

FOLDER = read(REPOSITORY / ".harness")


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        pytest.param(
            "pipelines/slipway.yaml",
            "          condition: <+",
            "          conditon: <+",
            "when.conditon: unknown key 'conditon'; did you mean 'condition'?",
            id="condition of a stage",
        ),
        pytest.param(
            "templates/canary.yaml",
            "      condition: <+",
            "      conditon: <+",
            "template.spec.when.conditon: unknown key 'conditon'",
            id="condition in a template",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "fail_on_severity: high",
            "fail_on_severty: high",
            "unknown key 'fail_on_severty'; did you mean 'fail_on_severity'?",
            id="threshold",
        ),
        pytest.param(
            "templates/terraform.yaml", "autoApprove", "autoAprove", "did you mean 'autoApprove'?", id="approval"
        ),
        pytest.param("triggers/main.yaml", "payloadConditions", "payloadCondition", "unknown key", id="trigger"),
        pytest.param(
            "services/gateway.yaml", "skipResourceV", "skipResV", "unknown key 'skipResVersioning'", id="service"
        ),
        pytest.param(
            "account.yaml",
            "userGroups:",
            "userGrops:",
            "account.yaml: userGrops: unknown key 'userGrops'; known here: connectors, ",
            id="account",
        ),
        pytest.param(
            "account.yaml", "    folder: terr", "    foldr: terr", "slipway_dev.foldr: unknown key", id="workspace"
        ),
        pytest.param(
            "expressions.yaml", "- where: run", "- wehre: run", "groups.0.wehre: unknown key", id="expressions"
        ),
        pytest.param(
            "expressions.yaml", "- where: run", "- where: rnu", "groups.0.where: write one of run", id="where"
        ),
    ],
)
def test_refused(after: Break, file: str, old: str, new: str, message: str) -> None:
    problems = [str(problem) for problem in after(file, old, new)]
    assert any(message in problem for problem in problems), problems


def test_each_key_of_our_files_is_refused_when_it_is_misspelt() -> None:
    for entity in FOLDER.entities:
        misspelt = [(key, replace(entity, body=body)) for key, body in _misspelt(dict(entity.body))]
        assert misspelt
        assert [key for key, changed in misspelt if not list(keys.problems(changed))] == [], entity.file


def _misspelt(tree: dict[str, Json]) -> Iterator[tuple[str, dict[str, Json]]]:
    """The tree for each key in it, with a letter put behind that key."""
    tree = copies.deepcopy(tree)
    for mapping in list(_mappings(tree)):
        for key in list(mapping):
            mapping[f"{key}x"] = mapping.pop(key)
            yield key, copies.deepcopy(tree)
            mapping[key] = mapping.pop(f"{key}x")


def _mappings(node: Json) -> Iterator[dict[str, Json]]:
    if isinstance(node, dict):
        yield node
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, part in children:
        if key not in keys.OF_OUR_OWN:
            yield from _mappings(part)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("environments/dev.yaml", "  variables:\n", "  variables: [name]\n  description: |\n"),
        ("pipelines/slipway.yaml", "templateRef: make", "templateRef: [make]"),
        ("input-sets/registry.yaml", "    identifier: slipway\n", "    identifier: [slipway]\n"),
        ("overrides/prod.yaml", "    variables:\n", "    variables: [name]\n    sources:\n"),
    ],
)
def test_a_value_of_another_form_is_a_problem_and_no_traceback(after: Break, file: str, old: str, new: str) -> None:
    problems = [str(problem) for problem in after(file, old, new)]
    assert any(".harness" in problem for problem in problems), problems


@pytest.mark.parametrize("file", ["account.yaml", "expressions.yaml", "triggers/main.yaml"])
def test_a_file_that_is_no_mapping_is_refused_alone(copy: Path, file: str) -> None:
    (copy / file).write_text("x\n")
    message = f".harness/{file}: holds no mapping; see the other files of this folder"
    assert [str(problem) for problem in check(copy, None)] == [message]
