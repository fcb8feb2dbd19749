"""Filling inputs and laying input sets over each other."""

from scripts.harness.folder import read
from scripts.harness.templates import expand, fill
from tests.harness.conftest import REPOSITORY


def test_inputs_are_filled_where_they_are() -> None:
    tree = {"type": "Run", "spec": {"command": "<+input>", "shell": "Bash"}}
    filled = fill(tree, {"type": "Run", "spec": {"command": "make test"}})
    assert filled.tree == {"type": "Run", "spec": {"command": "make test", "shell": "Bash"}}
    assert (filled.unknown, filled.missing) == ([], [])


def test_a_list_is_matched_by_names_and_identifiers() -> None:
    tree = {
        "variables": [
            {"name": "a", "type": "String", "value": "1"},
            {"name": "b", "type": "String", "value": "<+input>"},
        ],
        "stages": [{"stage": {"identifier": "x", "spec": "<+input>"}}],
    }
    inputs = {
        "stages": [{"stage": {"identifier": "x", "spec": {"k": 1}}}],
        "variables": [{"name": "b", "type": "String", "value": "2"}],
    }
    filled = fill(tree, inputs)
    assert filled.tree["variables"][1]["value"] == "2"
    assert filled.tree["stages"][0]["stage"]["spec"] == {"k": 1}
    assert (filled.unknown, filled.missing) == ([], [])


def test_what_is_missing_and_what_is_no_input_is_named() -> None:
    filled = fill({"a": "<+input>", "b": {"c": "fixed"}}, {"b": {"c": "other", "d": 1}})
    assert filled.missing == [("a",)]
    assert [path for path, _ in filled.unknown] == [("b", "c"), ("b", "d")]


def test_a_choice_is_held_to_what_is_allowed() -> None:
    tree = "<+input>.allowedValues(yes,no)"
    assert fill(tree, "no").unknown == []
    assert fill(tree, "<+trigger.branch>").unknown == []
    assert "write one of yes, no" in fill(tree, "maybe").unknown[0][1]


def test_no_template_is_left_in_a_pipeline_that_runs() -> None:
    folder = read(REPOSITORY / ".harness")
    for pipeline in folder.of("pipeline"):
        assert "templateRef" not in str(expand(folder, pipeline).tree)
