"""The strict pass, on a schema small enough to read."""

from jsonschema import Draft7Validator, Draft202012Validator

from scripts.harness.schema import closed, wrapped

BASE = {"title": "BaseStepInfo", "type": "object", "properties": {"delegate": {"type": "string"}}}
RUN = {
    "title": "RunStepInfo",
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "allOf": [{"$ref": "#/definitions/steps/BaseStepInfo"}],
    "properties": {"command": {"type": "string"}},
}
SCHEMA = {
    "$ref": "#/definitions/steps/RunStepInfo",
    "definitions": {"steps": {"BaseStepInfo": BASE, "RunStepInfo": RUN}},
}


def test_a_misspelt_key_passes_the_open_schema_and_not_the_closed_one() -> None:
    assert Draft7Validator(SCHEMA).is_valid({"comand": "make"})
    assert not Draft202012Validator(closed(SCHEMA)).is_valid({"comand": "make"})


def test_keys_that_are_mixed_in_stay_allowed() -> None:
    assert Draft202012Validator(closed(SCHEMA)).is_valid({"command": "make", "delegate": "here"})


def test_the_schema_itself_is_left_as_it_is() -> None:
    closed(SCHEMA)
    assert "unevaluatedProperties" not in str(SCHEMA)


def test_steps_in_parallel_and_in_rollback_are_found() -> None:
    step = {"step": {"identifier": "a"}}
    stage = {
        "stage": {"identifier": "s", "spec": {"execution": {"steps": [{"parallel": [step]}], "rollbackSteps": [step]}}}
    }
    assert [kind for _, kind, _ in wrapped([stage])] == ["stage", "step", "step"]
