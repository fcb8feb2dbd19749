"""The chat skin: a question in, an answer as JSON or as server-sent events out.

`docs/http-api.md` has the table of how each event shows.

Nothing is lost in the stream; the JSON answer loses only the order of things. To resume, a client asks for the run with
`Last-Event-ID`. A client that disconnects does not end the run: it is finished and kept.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from starlette.requests import Request

from slipway_runtime.events import Cancelled, Done, Event, Failed, InputRequired, ends, read
from slipway_runtime.problems import Problem, Reason, reason_of
from slipway_runtime.protocols import sse
from slipway_runtime.protocols.ask import (
    ASK_BYTES,
    QUESTION_CHARACTERS,
    SESSION_ID_PATTERN,
    Ask,
    DataPart,
    ImagePart,
    TextPart,
    invalid,
    too_large,
)
from slipway_runtime.protocols.bodies import read_json
from slipway_runtime.protocols.images import NotAnImage, read_data_url
from slipway_runtime.protocols.skin import Answer, AnswerRenderer, StreamRenderer
from slipway_runtime.protocols.transcript import Transcript

IMAGES_MAX = 32
LEFT_OUT = frozenset(
    ("retrieved", "tool_call", "tool_result", "delta", "message_end", "artifact", "progress", "plugin_failed")
)
"""Types of events that the JSON answer does not show, and so need not be read."""
_NOT_AT_ALL = re.compile(r"q\s*=\s*0(\.0{0,3})?")


def _says_something(question: str) -> str:
    if not question.strip():
        raise ValueError("must not be blank")
    if "\0" in question:
        raise ValueError("must not contain NUL characters")
    return question


def _picture(url: object) -> ImagePart:
    if not isinstance(url, str):
        raise NotAnImage("send data:image/png;base64,... as a string")
    return read_data_url(url)


Picture = Annotated[
    ImagePart,
    BeforeValidator(_picture),
    WithJsonSchema({"type": "string", "pattern": "^data:image/", "description": "A data URL."}),
]


MetadataKey = Annotated[str, Field(pattern="^[0-9A-Za-z_.-]{1,64}$")]
MetadataValue = Annotated[str, Field(max_length=512)]


class ChatRequest(BaseModel):
    """What a client sends."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    question: Annotated[str, Field(min_length=1, max_length=QUESTION_CHARACTERS), AfterValidator(_says_something)]
    session_id: Annotated[str, Field(pattern=SESSION_ID_PATTERN)] | None = None
    context: dict[str, Any] | None = None
    """Goes to the agent as data, never as instructions."""
    images: Annotated[list[Picture], Field(max_length=IMAGES_MAX)] = []
    """Pictures as data URLs (png, jpeg, gif, webp). An agent that cannot see refuses them."""
    force_agent: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    """Of an orchestrator: the name of the member that answers, or an architecture that it must have."""
    metadata: Annotated[dict[MetadataKey, MetadataValue], Field(max_length=16)] | None = None
    """Kept with a new session for reporting tools. Agents do not see it."""

    def ask(self) -> Ask:
        """The same as agents are asked it."""
        given = () if self.context is None else (DataPart(data=self.context),)
        parts = (TextPart(text=self.question), *self.images, *given)
        return Ask(parts=parts, session=self.session_id, force_agent=self.force_agent, metadata=self.metadata)


def parse_request(body: bytes, headers: Mapping[str, str]) -> ChatRequest:
    """What the client asks.

    Raises:
        Problem: `InvalidJSON`, `UnsupportedEncoding` or `InvalidRequest`. The detail names fields, never what was in
            them.
    """
    data = read_json(body, headers)
    if len(body) > ASK_BYTES and not (isinstance(data, dict) and data.get("images")):
        raise too_large(ASK_BYTES)
    try:
        return ChatRequest.model_validate(data)
    except ValidationError as error:
        fields = "`question`, `session_id`, `context`, `images`, `force_agent` and `metadata`"
        raise invalid(error, f"The fields are {fields}.") from None


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


class ChatStream:
    """The host's own bytes."""

    headers: Mapping[str, str] = MappingProxyType({"content-type": sse.MEDIA_TYPE, "x-accel-buffering": "no"})
    over = cancels = False

    def feed(self, frames: bytes) -> bytes:
        return frames

    def failed(self, problem: Problem) -> bytes:
        failed = Failed(reason=problem.reason, message=problem.detail)
        return b"event: failed\ndata: " + orjson.dumps(failed.to_json()) + b"\n\n"


class ChatAnswerBuilder:
    """One JSON object, made when the run has ended or waits for somebody."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._transcript = Transcript()
        self._last: Event | None = None

    def feed(self, frames: bytes) -> None:
        for kind, data in sse.read_frames(frames):
            if kind not in LEFT_OUT:
                self.add(read(_object(data)))

    def add(self, event: Event) -> None:
        """Take the next event."""
        if ends(event):
            self._last = event
        else:
            self._transcript.add(event)

    def answer(self) -> Answer | None:
        match self._last:
            case Failed() | Cancelled() as event:
                raise failure(event)
            case Done() as event:
                return self._json(200, self._answered(event))
            case None if self._transcript.asked:
                return self._json(202, self._waiting(self._transcript.asked))
            case None:
                return None
            case _:
                raise Problem(
                    Reason.INTERNAL_ERROR, "The run ended in a way that this version does not know. Ask again."
                )

    def _json(self, status: int, body: Mapping[str, object]) -> Answer:
        return Answer(status, {"content-type": "application/json"}, orjson.dumps(body))

    def _answered(self, done: Done) -> Mapping[str, object]:
        started, decision = self._transcript.started, self._transcript.decision
        return {
            "answer": done.answer,
            "abstained": done.abstained,
            "agent_used": decision.decision.get("chosen_agent") if decision else started.agent if started else None,
            **({"orchestration": decision.decision} if decision else {}),
            "sources": [source.model_dump() for source in done.sources],
            "grounded": done.grounded,
            "model": done.model,
            "session_id": started.session_id if started else None,
            "run_id": self._run_id,
            "usage": self._transcript.usage,
        }

    def _waiting(self, asked: InputRequired) -> Mapping[str, object]:
        started = self._transcript.started
        run = f"/agents/{started.agent}/runs/{self._run_id}" if started else None
        return {
            "state": "waiting",
            "input_required": {name: value for name, value in asked.to_json().items() if name not in ("type", "step")},
            "answer_at": f"{run}/input/{asked.id}",
            "run_at": run,
            "agent_used": started.agent if started else None,
            "session_id": started.session_id if started else None,
            "run_id": self._run_id,
        }


def _object(data: bytes) -> dict[str, Any]:
    decoded = orjson.loads(data)
    if not isinstance(decoded, dict):
        raise ValueError("an event that is no object")
    return decoded


class Chat:
    """The skin."""

    def parse(self, body: bytes, headers: Mapping[str, str]) -> Ask:
        return parse_request(body, headers).ask()

    def stream(self) -> StreamRenderer:
        return ChatStream()

    def whole(self, run_id: str) -> AnswerRenderer:
        return ChatAnswerBuilder(run_id)

    def problem(self, problem: Problem) -> Answer:
        return Answer(problem.status, problem.headers(), problem.body())
