"""The chat skin: a question in, an answer as JSON or as server-sent events out.

`docs/http-api.md` has the table of how each event shows.

Nothing is lost in the stream; the JSON answer loses only the order of things. To resume, a client asks for the run with
`Last-Event-ID`. A client that goes away does not end the run: it is finished and kept.
"""

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Annotated

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from slipway_runtime.events import Cancelled, Done, Failed, NumberedEvent
from slipway_runtime.problems import Problem, Reason, reason_of
from slipway_runtime.protocols import sse
from slipway_runtime.protocols.bodies import read_json
from slipway_runtime.protocols.transcript import Transcript

BODY_LIMIT = 64 * 1024
QUESTION_LIMIT = 8_000
SESSION_ID_PATTERN = "^[0-9A-Za-z-]{1,64}$"
_NOT_AT_ALL = re.compile(r"q\s*=\s*0(\.0{0,3})?")


def _says_something(question: str) -> str:
    if not question.strip():
        raise ValueError("must not be blank")
    if "\0" in question:
        raise ValueError("must not contain NUL characters")
    return question


class ChatRequest(BaseModel):
    """What a client sends."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    question: Annotated[str, Field(min_length=1, max_length=QUESTION_LIMIT), AfterValidator(_says_something)]
    session_id: Annotated[str, Field(pattern=SESSION_ID_PATTERN)] | None = None


async def read_body(request: Request) -> bytes:
    """The body, read only as far as it is allowed to go.

    Raises:
        Problem: `QuestionTooLarge` above 64 KiB.
    """
    too_large = Problem(
        Reason.QUESTION_TOO_LARGE,
        f"A body has at most {BODY_LIMIT // 1024} KiB and a question {QUESTION_LIMIT:,} characters: shorten it.",
    )
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > BODY_LIMIT:
        raise too_large
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_LIMIT:
            raise too_large
    return bytes(body)


def parse_request(body: bytes, headers: Mapping[str, str]) -> ChatRequest:
    """What the client asks.

    Raises:
        Problem: `InvalidJSON`, `UnsupportedEncoding` or `InvalidRequest`. The detail names fields, never what was in
            them.
    """
    data = read_json(body, headers)
    try:
        return ChatRequest.model_validate(data)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc'])) or 'body'}: {fault['msg']}" for fault in error.errors())
        raise Problem(
            Reason.INVALID_REQUEST, "; ".join(faults) + ". The fields are `question` and `session_id`."
        ) from None


def wants_stream(request: Request) -> bool:
    """Whether the client accepts server-sent events. A weight of 0 says that it does not (RFC 9110, 12.4.2)."""
    for accepted in ",".join(request.headers.getlist("accept")).split(","):
        kind, *parameters = (part.strip().lower() for part in accepted.split(";"))
        if kind == sse.MEDIA_TYPE and not any(_NOT_AT_ALL.fullmatch(each) for each in parameters):
            return True
    return False


def failure(event: Failed | Cancelled) -> Problem:
    """A run that ended without an answer, as a problem."""
    if isinstance(event, Cancelled):
        return Problem(Reason.CANCELLED, event.message)
    return Problem(reason_of(event.reason), event.message)


async def json_answer(run_id: str, events: AsyncGenerator[NumberedEvent]) -> bytes:
    """Wait for the end of a run and give the answer as JSON.

    Raises:
        Problem: if the run failed.
    """
    transcript = Transcript()
    async with aclosing(events):
        async for numbered in events:
            match numbered.event:
                case Failed() | Cancelled() as event:
                    raise failure(event)
                case Done() as event:
                    return _answer(run_id, transcript, event)
                case event:
                    transcript.add(event)
    raise Problem(Reason.INTERNAL_ERROR, "The run ended without an answer. Ask again.")


def _answer(run_id: str, transcript: Transcript, done: Done) -> bytes:
    started = transcript.started
    return orjson.dumps(
        {
            "answer": done.answer,
            "abstained": done.abstained,
            "agent_used": started.agent if started else None,
            "sources": [source.model_dump() for source in done.sources],
            "session_id": started.session_id if started else None,
            "run_id": run_id,
            "usage": transcript.usage,
        }
    )
