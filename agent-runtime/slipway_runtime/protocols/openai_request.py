"""A request to `/v1/chat/completions`: parsed, checked against the table of parameters, and made an `Ask`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols import front_ends
from slipway_runtime.protocols.ask import TASK, TOOL_NAME_PATTERN, Ask, ClientTool, Json
from slipway_runtime.protocols.bodies import read_json
from slipway_runtime.protocols.conversations import Conversation
from slipway_runtime.protocols.openai_messages import Messages, read_conversation
from slipway_runtime.protocols.openai_parameters import PARAMETERS, Treatment, check
from slipway_runtime.protocols.parameters import BadParameter

HOLD_HEADER = "x-slipway-hold-text"
"""With `true`, no text is sent before it is certain that it stays."""
TOOLS_MAX = 128
SCHEMA_BYTES = 64 * 1024
EFFORTS = {"none": False, "minimal": "minimal", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh"}


class RequestModel(BaseModel):
    """The base of what is read."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class FunctionDefinition(RequestModel):
    """A function of the client."""

    name: Annotated[str, Field(pattern=TOOL_NAME_PATTERN)]
    description: str | None = None
    parameters: dict[str, Any] | None = None


class FunctionTool(RequestModel):
    """One that the client runs."""

    type: Literal["function"]
    function: FunctionDefinition


class FunctionName(RequestModel):
    """Of a function."""

    name: str


class ToolChoice(RequestModel):
    """One function."""

    type: Literal["function"]
    function: FunctionName


class NamedSchema(RequestModel):
    """Of the answer."""

    schema_: Annotated[dict[str, Any], Field(alias="schema")]


class ResponseFormat(RequestModel):
    """The form of the answer."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: NamedSchema | None = None


class StreamOptions(RequestModel):
    """Of chunks."""

    include_usage: bool = False


class CompletionBody(RequestModel):
    """What is honoured. `max_tokens` and the settings after it go to the agent's model."""

    model: Annotated[str, Field(min_length=1, max_length=512)]
    messages: Messages
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    tools: Annotated[list[FunctionTool], Field(max_length=TOOLS_MAX)] = []
    tool_choice: Literal["none", "auto", "required"] | ToolChoice = "auto"
    response_format: ResponseFormat | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    stop: str | Annotated[list[str], Field(max_length=4)] | None = None
    seed: int | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None

    def settings(self) -> Json | None:
        """The settings that are there, by pydantic-ai's names."""
        limit = self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens
        found: dict[str, Any] = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": limit,
            "stop_sequences": [self.stop] if isinstance(self.stop, str) else self.stop,
            "seed": self.seed,
            "presence_penalty": self.presence_penalty,
            "frequency_penalty": self.frequency_penalty,
            "parallel_tool_calls": self.parallel_tool_calls if self.tools else None,
            "thinking": None if self.reasoning_effort is None else EFFORTS[self.reasoning_effort],
        }
        return {name: value for name, value in found.items() if value is not None} or None


@dataclass(frozen=True)
class CompletionRequest:
    """A request that was understood."""

    model: str
    ask: Ask
    """Without a session: the client keeps the conversation."""
    stream: bool
    include_usage: bool
    hold_text: bool
    results: Mapping[str, str]
    """Results of client tools that the messages end with, by the ids of their calls."""


def parse_completion(body: bytes, headers: Mapping[str, str]) -> CompletionRequest:
    """What the client asks.

    Raises:
        Problem: `InvalidJSON`, `UnsupportedEncoding` or, as `BadParameter`, `InvalidRequest`.
    """
    data = read_json(body, headers)
    if not isinstance(data, dict):
        raise Problem(Reason.INVALID_REQUEST, 'Send a JSON object with "model" and "messages".')
    given = {name: value for name, value in data.items() if value is not None}
    check(given)
    read = _validated({name: given[name] for name in given if PARAMETERS[name].treatment is Treatment.HONOURED})
    conversation = read_conversation(read.messages)
    tools, choice = _tools(read)
    return CompletionRequest(
        model=read.model,
        ask=Ask(
            parts=conversation.question.parts,
            history=conversation.before,
            continuation=conversation.after or None,
            client_tools=tools,
            tool_choice=choice,
            output_schema=_schema(read.response_format),
            settings=read.settings(),
            metadata=_metadata(conversation, headers),
        ),
        stream=read.stream,
        include_usage=read.stream_options.include_usage,
        hold_text=headers.get(HOLD_HEADER, "").strip().lower() == "true",
        results=conversation.results,
    )


def _validated(given: Mapping[str, Any]) -> CompletionBody:
    try:
        return CompletionBody.model_validate(given)
    except ValidationError as error:
        fault = error.errors()[0]
        # Names of a union's members are in the middle of a path, and say nothing to a client.
        path = [
            str(part) for part in fault["loc"] if not (isinstance(part, str) and ("[" in part or part[:1].isupper()))
        ]
        raise BadParameter(".".join(path), fault["msg"]) from None


def _tools(read: CompletionBody) -> tuple[tuple[ClientTool, ...] | None, str | None]:
    choice = read.tool_choice if isinstance(read.tool_choice, str) else read.tool_choice.function.name
    names = [tool.function.name for tool in read.tools]
    if len(set(names)) < len(names):
        raise BadParameter("tools", "two functions have one name")
    if isinstance(read.tool_choice, ToolChoice):
        if choice not in names or choice in ("auto", "required"):
            raise BadParameter("tool_choice", f"there is no function {choice[:64]} that can be chosen in `tools`")
    elif choice == "required" and not names:
        raise BadParameter("tool_choice", "there are no `tools` to choose from")
    if choice == "none" or not names:
        return None, None
    tools = tuple(
        ClientTool(
            name=tool.function.name,
            description=tool.function.description,
            parameters=tool.function.parameters or {"type": "object", "properties": {}},
        )
        for tool in read.tools
    )
    return tools, None if choice == "auto" else choice


def _schema(form: ResponseFormat | None) -> Json | None:
    if form is None or form.type == "text":
        return None
    if form.type == "json_object":
        return {"type": "object"}
    if form.json_schema is None:
        raise BadParameter("response_format.json_schema", "give the schema under `schema`")
    schema = form.json_schema.schema_
    where = "response_format.json_schema.schema"
    if len(orjson.dumps(schema)) > SCHEMA_BYTES:
        raise BadParameter(where, f"must have at most {SCHEMA_BYTES // 1024} KiB")
    from jsonschema import Draft202012Validator, SchemaError  # takes a while, and few requests have a schema

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise BadParameter(where, f"is no JSON Schema: {error.message[:200]}") from None
    except RecursionError:
        raise BadParameter(where, "is nested too deep") from None
    return schema


def _metadata(conversation: Conversation, headers: Mapping[str, str]) -> Json | None:
    alone = all(message.role == "system" for message in conversation.before) and not conversation.after
    task = front_ends.task_of(conversation.question.text if alone else "", headers)
    return {TASK: task} if task else None
