"""Requests to `/v1/chat/completions`: what becomes of each field, and what is refused in which words."""

import base64
from pathlib import Path
from typing import Any

import orjson
import pytest

from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.ask import ImagePart, TextPart
from slipway_runtime.protocols.openai_parameters import PARAMETERS, Treatment
from slipway_runtime.protocols.openai_request import CompletionRequest, parse_completion
from slipway_runtime.protocols.parameters import BadParameter

PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\nrest").decode()
QUESTION = {"role": "user", "content": "How long is a session kept?"}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
DOCS = Path(__file__).parents[3] / "docs" / "http-api.md"


def parse(messages: list[Any] | None = None, headers: dict[str, str] | None = None, **fields: Any) -> CompletionRequest:
    body = {"model": "demo/support", "messages": [QUESTION] if messages is None else messages, **fields}
    return parse_completion(orjson.dumps(body), headers or {})


def refused(messages: list[Any] | None = None, **fields: Any) -> BadParameter:
    with pytest.raises(BadParameter) as caught:
        parse(messages, **fields)
    return caught.value


def test_the_last_message_of_the_user_is_the_question_and_the_others_are_its_history() -> None:
    asked = parse(
        [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "What is this?"}, image(PNG)]},
            {"role": "assistant", "content": "A logo.", "annotations": [], "slipway": {"run_id": "x"}},
            QUESTION,
            {"role": "system", "content": "Answer in French."},
        ]
    ).ask
    assert asked.parts == (TextPart(text="How long is a session kept?"),)
    assert asked.history is not None
    assert [(message.role, message.text) for message in asked.history] == [
        ("system", "Be brief."),
        ("user", "What is this?"),
        ("assistant", "A logo."),
        ("system", "Answer in French."),
    ]
    assert isinstance(asked.history[1].parts[1], ImagePart)
    assert asked.session is None


def test_a_first_question_has_an_empty_history() -> None:
    assert parse().ask.history == ()


def test_calls_and_results_after_the_question_are_its_continuation() -> None:
    asked = parse(
        [QUESTION, {"role": "assistant", "content": None, "tool_calls": [CALL]}, result("call_1", "Rain")],
        tools=[WEATHER],
    )
    assert asked.ask.continuation is not None
    (call,) = asked.ask.continuation[0].tool_calls or ()
    assert (call.id, call.name, call.args) == ("call_1", "weather", {"city": "Oslo"})
    assert asked.ask.continuation[1].tool_call_id == "call_1"
    assert asked.results == {"call_1": "Rain"}


def test_the_settings_go_along_by_the_names_that_models_have() -> None:
    given: dict[str, Any] = {
        "temperature": 0,
        "top_p": 0.5,
        "max_tokens": 9,
        "max_completion_tokens": 10,
        "stop": "END",
        "seed": 7,
        "presence_penalty": None,
        "frequency_penalty": -1,
        "parallel_tool_calls": False,
        "reasoning_effort": "none",
    }
    assert parse(**given, tools=[WEATHER]).ask.settings == {
        "temperature": 0,
        "top_p": 0.5,
        "max_tokens": 10,
        "stop_sequences": ["END"],
        "seed": 7,
        "frequency_penalty": -1,
        "parallel_tool_calls": False,
        "thinking": False,
    }
    assert parse().ask.settings is None


def test_tools_go_along_unless_none_is_to_be_called() -> None:
    asked = parse(tools=[WEATHER], tool_choice="auto").ask
    assert [tool.name for tool in asked.client_tools or ()] == ["weather"]
    assert asked.tool_choice is None
    one = parse(tools=[WEATHER], tool_choice={"type": "function", "function": {"name": "weather"}}).ask
    assert one.tool_choice == "weather"
    none = parse(tools=[WEATHER], tool_choice="none").ask
    assert (none.client_tools, none.tool_choice) == (None, None)


@pytest.mark.parametrize(
    ("form", "schema"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, {"type": "object"}),
        (
            {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": {"type": "object"}}},
            {"type": "object"},
        ),
    ],
)
def test_the_form_of_the_answer_is_a_schema(form: dict[str, Any], schema: dict[str, Any] | None) -> None:
    assert parse(response_format=form).ask.output_schema == schema


def test_what_every_client_sends_is_taken() -> None:
    idle: dict[str, Any] = {
        "n": 1,
        "logprobs": False,
        "logit_bias": {},
        "functions": [],
        "modalities": ["text"],
        "audio": None,
    }
    ignored: dict[str, Any] = {name: "x" for name, known in PARAMETERS.items() if known.treatment is Treatment.IGNORED}
    assert parse(**idle, **ignored) == parse()


@pytest.mark.parametrize("name", [name for name, known in PARAMETERS.items() if known.treatment is Treatment.REFUSED])
def test_what_is_not_supported_is_refused_by_name(name: str) -> None:
    problem = refused(None, **{name: 2})
    assert (problem.param, problem.reason) == (name, Reason.INVALID_REQUEST)
    assert "is not supported" in problem.detail


def test_the_table_in_the_docs_is_the_one_in_the_code() -> None:
    rows = {f"| `{name}` | {known.treatment} | {known.note} |" for name, known in PARAMETERS.items()}
    assert rows <= set(DOCS.read_text().splitlines())


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, "detail": "auto"}}


def result(call: str, text: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call, "content": text}


def said(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def schema(of_answer: dict[str, Any]) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"schema": of_answer}}}


IMAGE_URL = "messages.0.content.0.image_url"
ARGUMENTS = "messages.1.tool_calls.0.function.arguments"
SCHEMA = "response_format.json_schema.schema"
ODD_CALL = {**CALL, "function": {"name": "f", "arguments": "[1]"}}
OTHER = {"type": "function", "function": {"name": "x"}}
BAD_MESSAGES: list[tuple[str, list[Any], str, str]] = [
    ("none", [], "messages", "at least 1"),
    ("only instructions", [{"role": "system", "content": "x"}], "messages", "no message of the user"),
    ("a blank question", [{"role": "user", "content": " "}], "messages.0.content", "blank"),
    ("no question", [{"role": "user", "content": None}], "messages.0.content", "blank"),
    ("a beginning of the answer", [QUESTION, {"role": "assistant", "content": "It"}], "messages", "must end with"),
    ("a role", [{"role": "function", "content": "x"}], "messages.0.role", "Input should be"),
    ("a NUL", [{"role": "user", "content": "a\0b"}], "messages.0.content", "NUL"),
    ("a picture elsewhere", [said(image("https://x.test/a.png"))], IMAGE_URL, "no URL is fetched"),
    ("no picture", [said(image("data:image/png;base64,aGVsbG8="))], IMAGE_URL, "is not a picture"),
    ("half a picture", [said(image(PNG + "=A"))], IMAGE_URL, "not Base64"),
    ("a drawing", [said(image("data:image/svg+xml;base64,aGk="))], IMAGE_URL, "send one of"),
    ("a sound", [said({"type": "input_audio", "input_audio": {}})], "messages.0.content.0", "input_audio are not"),
    ("an empty part", [said({"type": "text"})], "messages.0.content.0", "has a field"),
    ("a result of nothing", [QUESTION, {"role": "tool", "content": "x"}], "messages.1.tool_call_id", "name the call"),
    (
        "odd arguments",
        [QUESTION, {"role": "assistant", "tool_calls": [ODD_CALL]}, result("call_1", "")],
        ARGUMENTS,
        "JSON object",
    ),
]


@pytest.mark.parametrize(
    ("messages", "param", "words"), [row[1:] for row in BAD_MESSAGES], ids=[r[0] for r in BAD_MESSAGES]
)
def test_a_message_that_cannot_be_read_is_named(messages: list[Any], param: str, words: str) -> None:
    problem = refused(messages)
    assert problem.param == param
    assert words in problem.detail


BAD_FIELDS: list[tuple[dict[str, Any], str, str]] = [
    ({"colour": "red"}, "colour", "no such parameter"),
    ({"model": ""}, "model", "at least 1"),
    ({"stream": "yes"}, "stream", "valid boolean"),
    ({"temperature": 3}, "temperature", "less than or equal to 2"),
    ({"max_tokens": 0}, "max_tokens", "greater than or equal to 1"),
    ({"tools": [{"type": "retrieval"}]}, "tools.0.type", "Input should be"),
    ({"tools": [WEATHER, WEATHER]}, "tools", "one name"),
    ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools.0.function.name", "pattern"),
    ({"tool_choice": "required"}, "tool_choice", "no `tools`"),
    ({"tools": [WEATHER], "tool_choice": OTHER}, "tool_choice", "no function x"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "give the schema"),
    (schema({"type": "thing"}), SCHEMA, "is no JSON Schema"),
    (schema({"x": "y" * 70000}), SCHEMA, "64 KiB"),
]


@pytest.mark.parametrize(("fields", "param", "words"), BAD_FIELDS, ids=[f"{row[1]}-{row[2]}" for row in BAD_FIELDS])
def test_a_field_that_cannot_be_read_is_named(fields: dict[str, Any], param: str, words: str) -> None:
    problem = refused(**fields)
    assert problem.param == param
    assert words in problem.detail


@pytest.mark.parametrize(("body", "reason"), [(b"{", Reason.INVALID_JSON), (b"[]", Reason.INVALID_REQUEST)])
def test_a_body_that_is_no_object_is_refused(body: bytes, reason: Reason) -> None:
    with pytest.raises(Problem) as caught:
        parse_completion(body, {})
    assert caught.value.reason is reason


def test_a_header_holds_the_text_back() -> None:
    assert parse(headers={"x-slipway-hold-text": "True"}).hold_text
    assert not parse().hold_text
