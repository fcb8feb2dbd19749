"""The operations under `/v1`, whose bodies are OpenAI's."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from slipway_runtime.events import Citation
from slipway_runtime.gateway.openapi import parameters, problems
from slipway_runtime.gateway.openapi.bodies import CITATION, RUN_ID, AskedInput, Body, UsageTotal, example
from slipway_runtime.gateway.openapi.operations import Operation, answer, body
from slipway_runtime.gateway.openapi.schemas import ref
from slipway_runtime.problems import Reason
from slipway_runtime.protocols import openai_errors
from slipway_runtime.protocols.openai_request import CompletionBody

MODEL: dict[str, Any] = {"id": "demo/support", "object": "model", "created": 0, "owned_by": "demo"}
COMPLETION_ID = f"chatcmpl-{RUN_ID}"
SLIPWAY = {
    "run_id": RUN_ID,
    "agent": "demo/support",
    "usage": {"retrieved_chunks": 5, "embedded_texts": 1},
    "abstained": False,
    "sources": [CITATION],
}


class SlipwayExtra(Body):
    """What the protocol has no place for."""

    run_id: str
    agent: str
    """`namespace/name`."""
    usage: UsageTotal | None
    abstained: bool
    sources: list[Citation]
    grounded: bool | None = None
    """Whether a model's answer cites what it says. Left out for quotes, and for an abstention."""
    model: str | None = None
    """`provider:model` that wrote the answer. Left out where none did."""
    input_required: AskedInput | None = None
    """What the run waits for. Left out where it waits for nothing."""


class CompletionMessage(Body):
    """The agent's message."""

    role: Literal["assistant"]
    content: str | None
    tool_calls: list[Mapping[str, Any]] | None = None
    reasoning_content: str | None = None


class CompletionChoice(Body):
    """There is one."""

    index: int
    message: CompletionMessage
    finish_reason: Literal["stop", "length", "tool_calls", "content_filter"]


class CompletionUsage(Body):
    """Tokens of all models of the run. Zero where no model was asked."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatCompletion(Body):
    """The answer to a question, as OpenAI has it."""

    model_config = example(
        id=COMPLETION_ID,
        object="chat.completion",
        created=1767139200,
        model="demo/support",
        choices=[
            {
                "index": 0,
                "message": {"role": "assistant", "content": "A session is kept for 24 hours after its last use."},
                "finish_reason": "stop",
            }
        ],
        usage={"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        slipway=SLIPWAY,
    )
    id: str
    """`chatcmpl-` and the id of the run."""
    object: Literal["chat.completion"]
    created: int
    """Seconds since 1970."""
    model: str
    """As it was asked for."""
    choices: list[CompletionChoice]
    usage: CompletionUsage
    slipway: SlipwayExtra


class Model(Body):
    """An agent that the caller may ask."""

    model_config = example(**MODEL)
    id: str
    """`namespace/name`, or `auto`."""
    object: Literal["model"]
    created: int
    """Always 0: it is not known."""
    owned_by: str
    """The agent's namespace."""


class ModelList(Body):
    """The agents that the caller may ask."""

    model_config = example(object="list", data=[MODEL])
    object: Literal["list"]
    data: list[Model]


class OpenAIError(Body):
    """What went wrong."""

    message: str
    """What to do."""
    type: Literal["invalid_request_error", "rate_limit_error", "server_error"]
    param: str | None = None
    """The parameter that is meant, if one is."""
    code: str
    """`invalid_api_key`, `model_not_found`, or else the reason. Programs may compare it."""


class OpenAIErrorBody(Body):
    """Why a request was refused or failed."""

    error: OpenAIError


CHUNK = (
    f'data: {{"id":"{COMPLETION_ID}","object":"chat.completion.chunk","created":1767139200,"model":"demo/support",'
    '"choices":[{"index":0,"delta":{"content":"A session"},"logprobs":null,"finish_reason":null}]}\n\ndata: [DONE]\n\n'
)
_errors = partial(problems.responses, as_answer=openai_errors.answer, schema=ref(OpenAIErrorBody))
_OF_A_COMPLETION = tuple(
    reason
    for reason in problems.OF_A_QUESTION
    if reason not in (Reason.SESSION_NOT_FOUND, Reason.SESSION_FULL, Reason.SESSION_BUSY)
)
_STREAM = {
    "text/event-stream": {
        "schema": {
            "type": "string",
            "description": "With `stream: true`: chunks (`chat.completion.chunk`), and `[DONE]` at the end. A frame "
            "with `error` ends a stream that has no answer.",
        },
        "examples": {"stream": {"summary": "A chunk, and the end", "value": CHUNK}},
    }
}

COMPLETE = Operation(
    id="createChatCompletion",
    summary="Ask an agent by OpenAI's protocol",
    tag="OpenAI",
    description="The model is an agent: `namespace/name`, or `auto`. The messages are the whole conversation: no "
    "session is kept. A client that disconnects cancels its run.",
    parameters=(parameters.IDEMPOTENCY_KEY,),
    body=body(
        CompletionBody,
        question={
            "model": "demo/support",
            "messages": [{"role": "user", "content": "How long is a session kept?"}],
        },
    ),
    answers={200: answer(ChatCompletion, "The answer.", **_STREAM)},
    reasons=_OF_A_COMPLETION,
    errors=_errors,
)
LIST_MODELS = Operation(
    id="listModels",
    summary="List the agents that the caller may ask, as models",
    tag="OpenAI",
    answers={200: answer(ModelList, "The models.")},
    reasons=problems.OF_THE_LIST,
    errors=_errors,
)
READ_MODEL = replace(
    LIST_MODELS,
    id="readModel",
    summary="Read one of them",
    parameters=(parameters.MODEL,),
    answers={200: answer(Model, "The model.")},
    reasons=(*problems.OF_THE_LIST, Reason.AGENT_NOT_FOUND),
)
