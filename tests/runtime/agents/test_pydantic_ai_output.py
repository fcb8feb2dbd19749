"""Answers of a pydantic-ai agent that have to fit a schema."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from slipway_runtime.problems import Problem, Reason
from tests.support.knowledge import Knowledge, contents, entry
from tests.support.model_agents import ask, shown, thinker
from tests.support.model_server import Reply, model_server
from tests.support.thinking import HANDBOOK, SCHEMA, SEARCH, messages, models_closed

__all__ = ["models_closed"]


async def test_output_fits_the_agents_schema(local: Knowledge) -> None:
    with model_server(Reply(output={"city": "Rome", "degrees": 30})) as server:
        agent = thinker(local, server, output_schema=json.dumps(SCHEMA))
        done, events = await ask(agent, "Where?")
    assert done.output == {"city": "Rome", "degrees": 30}
    assert json.loads(done.answer) == done.output
    assert shown(events) == done.answer
    assert done.finish == "stop"


async def test_output_that_does_not_fit_is_repaired_with_the_reason(local: Knowledge) -> None:
    script = [Reply(output={"city": "R"}), Reply(output={"city": "Rome", "odd": 1}), Reply(output={"city": "Rome"})]
    with model_server(script) as server:
        done, events = await ask(thinker(local, server), "Where?", output_schema=SCHEMA)
    assert done.output == {"city": "Rome"}
    assert "too short" in messages(server.requests[1])[-1]["content"]
    assert "odd" in messages(server.requests[2])[-1]["content"]
    assert shown(events) == done.answer


async def test_a_schema_that_no_model_satisfies_ends_with_the_reason(local: Knowledge) -> None:
    impossible = {**SCHEMA, "properties": {"city": {"type": "string", "minLength": 9, "maxLength": 2}}}
    with model_server(Reply(output={"city": "Rome"})) as server:
        with pytest.raises(Problem) as raised:
            await ask(thinker(local, server), "Where?", output_schema=impossible)
        assert len(server.requests) == 3
    assert raised.value.reason is Reason.INVALID_OUTPUT
    assert "simplify the schema" in raised.value.detail


BAD_SCHEMAS: Sequence[tuple[dict[str, Any], str]] = [
    ({"type": "array"}, "type object"),
    ({"type": "object", "properties": {"a": {"type": "nothing"}}}, "no JSON Schema"),
    ({"type": "object", "properties": {"a": {"$ref": "http://evil/schema"}}}, "reference"),
    ({"type": "object", "$defs": {"a": {"$ref": "#/$defs/a"}}, "properties": {"a": {"$ref": "#/$defs/a"}}}, "itself"),
    ({"type": "object", "properties": {"a": {"type": "string", "pattern": r"(a)\1"}}}, "pattern"),
    ({"type": "object", "patternProperties": {"(a+)+$": {}}}, "patternProperties"),
]


@pytest.mark.parametrize(("schema", "words"), BAD_SCHEMAS)
async def test_a_bad_schema_is_refused_before_a_model_is_asked(
    local: Knowledge, schema: dict[str, Any], words: str
) -> None:
    with model_server("never") as server:
        with pytest.raises(Problem) as raised:
            await ask(thinker(local, server), "Where?", output_schema=schema)
        assert server.requests == []
    assert raised.value.reason is Reason.INVALID_REQUEST
    assert words in raised.value.detail


async def test_a_costly_pattern_is_checked_in_linear_time(local: Knowledge) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(x+x+)+y$"}}}
    with model_server([Reply(output={"a": "x" * 200}), Reply(output={"a": "xxy"})]) as server:
        done, _ = await ask(thinker(local, server), "What?", output_schema=schema)
    assert done.output == {"a": "xxy"}


async def test_output_cites_too(local: Knowledge) -> None:
    await local.ingestion().run(contents(handbook_md=HANDBOOK))
    script = [SEARCH, Reply(output={"city": "eighty degrees [1]"})]
    with model_server(script) as server:
        done, _ = await ask(thinker(local, server, indexes=[entry()]), "How hot?", output_schema=SCHEMA)
    assert done.output == {"city": "eighty degrees [1]"}
    assert [source.document for source in done.sources] == ["handbook.md"]
    assert done.grounded is True
