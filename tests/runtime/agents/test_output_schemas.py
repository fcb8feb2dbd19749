"""Output is checked against its schema, whichever regular expressions that has."""

import json

import pytest

from slipway_runtime.agents.output_schemas import canonical, fault, output_of
from slipway_runtime.problems import Problem

LOOKAHEAD = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(?=.*[0-9]).{3}$"}}}


def test_an_agents_own_schema_may_look_ahead() -> None:
    validator = output_of(json.dumps(LOOKAHEAD))[1]
    assert fault(validator, {"a": "a1c"}) is None
    assert "does not match" in (fault(validator, {"a": "abc"}) or "")


def test_one_of_a_question_may_not() -> None:
    with pytest.raises(Problem, match="look-around"):
        canonical(LOOKAHEAD)


def test_a_question_may_not_bring_a_schema_that_grows_when_its_references_are_written_out() -> None:
    definitions: dict[str, object] = {
        f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"items": {"$ref": f"#/$defs/d{n + 1}"}}]} for n in range(25)
    }
    with pytest.raises(Problem, match="references written out") as caught:
        canonical({"type": "object", "$defs": {**definitions, "d25": {"type": "string"}}})
    assert caught.value.reason == "InvalidRequest"
