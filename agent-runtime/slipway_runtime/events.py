"""What happens while a question is answered, as one numbered stream.

Every wire protocol (a *skin*) is laid over these events, and the store keeps them, so that a client that lost its
connection gets each of them once, from any pod. This module imports nothing of Slipway but `former_events`.

Writers are strict: an event has the fields that it has here, and those that are not set are not written. Readers are
lenient: a type or a field of a newer version goes on to clients as it came (`read`), so that an older pod or gateway is
never in the way of a newer one.

A run ends only by `done`, `failed` or `cancelled`, for ever: new outcomes are fields of these.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from slipway_runtime.former_events import as_now

Json = Mapping[str, Any]


class EventModel(BaseModel):
    """Base of all events and of what is in them: immutable, and strict about what it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def to_json(self) -> dict[str, Any]:
        """The fields that are set."""
        return self.model_dump(mode="json", exclude_unset=True, exclude_none=True)


class Citation(EventModel):
    """A verbatim quote and where it stands."""

    index: str
    """Name of the entry in the agent's `knowledge` list."""
    source: str
    document: str
    heading: str
    """Path of headings above the quote, joined with ` > `; empty where there is none."""
    start: int
    end: int
    """Offsets of the quote in the stored document's text, in Unicode code points, end exclusive."""
    quote: str
    score: float
    """Similarity of the quote to the question, higher is better, at most 1."""
    page: int | None = None
    """Number of the page or slide that the quote is on, of a PDF or a presentation."""


class Event(EventModel):
    """Base of all events."""

    type: str

    def to_json(self) -> dict[str, Any]:
        """See `EventModel`; the type is always there."""
        return {"type": self.type, **super().to_json()}


class StepEvent(Event):
    """An event of a step. What a step said is void until the step has a result, if its host dies before that."""

    step: str = ""
    """The step's key, which is the same in every attempt. The host sets it."""


class Started(Event):
    """A run has been accepted."""

    type: Literal["started"] = "started"
    agent: str
    """`namespace/name` of the agent."""
    revision: str | None = None
    session_id: str | None = None


class Decision(StepEvent):
    """An orchestrator chose who answers, or an agent with models chose a role."""

    type: Literal["decision"] = "decision"
    decision: Json
    """An OrchestrationDecision, whose `model` is the one that decided, or the one that is asked first."""
    members: tuple[str, ...]
    """Whom it chose from."""


class Retrieved(StepEvent):
    """The chunks that the answer is made from were found."""

    type: Literal["retrieved"] = "retrieved"
    chunks: int
    best_score: float


Where = Literal["server", "client", "agent"]
"""Where a tool runs."""


class ToolCall(StepEvent):
    """A tool is called. Arguments are there for client tools, else only where the agent shows its tools."""

    type: Literal["tool_call"] = "tool_call"
    id: str
    name: str
    where: Where
    args: Json | None = None


class ToolResult(StepEvent):
    """A tool has answered. The summary is there for client tools, else only where the agent shows its tools."""

    type: Literal["tool_result"] = "tool_result"
    id: str
    name: str
    where: Where
    summary: str | None = None


class Delta(StepEvent):
    """A piece of text, to be appended to what its message has."""

    type: Literal["delta"] = "delta"
    text: str
    message: str | None = None
    """Which message; a run with one message does not name it."""
    channel: Literal["answer", "reasoning"] = "answer"
    citation: Citation | None = None


class MessageEnd(StepEvent):
    """A message is whole."""

    type: Literal["message_end"] = "message_end"
    message: str


class Artifact(StepEvent):
    """A file that the agent made, or a piece of one."""

    type: Literal["artifact"] = "artifact"
    id: str
    name: str
    media_type: str
    text: str | None = None
    data: str | None = None
    """Base64."""
    url: str | None = None
    last: bool = True


class Progress(StepEvent):
    """How far something is that takes long."""

    type: Literal["progress"] = "progress"
    text: str
    done: int | None = None
    total: int | None = None


class PluginFailed(StepEvent):
    """A plugin that acts around the answer failed. The answer goes on without it, unless the agent requires it."""

    type: Literal["plugin_failed"] = "plugin_failed"
    plugin: str
    """Name of the entry in the agent's `plugins`."""
    stage: Literal["before", "after", "on_error"]
    kind: str
    """A stable word, such as `TimedOut`."""
    message: str


InputKind = Literal["approval", "form", "client_tools"]


class InputRequired(StepEvent):
    """The run waits for somebody. It is never void."""

    type: Literal["input_required"] = "input_required"
    id: str
    kind: InputKind
    prompt: str | None = None
    """What is asked, for people."""
    answer_schema: Json | None = None
    """JSON Schema of the answer."""
    calls: tuple[Json, ...] | None = None
    """Of client tools: id, name and arguments of each."""
    answerers: tuple[str, ...]
    """Who may answer: `caller`, or `group:NAME`."""
    expires: float
    """Seconds since 1970; an input that nobody gave until then counts as denied."""


class InputGiven(StepEvent):
    """Somebody answered, or the time was over."""

    type: Literal["input_given"] = "input_given"
    id: str
    by: str
    """The owner who answered; `expiry` where nobody did."""


class Discarded(StepEvent):
    """Text of these steps of this attempt is void."""

    type: Literal["discarded"] = "discarded"
    steps: tuple[str, ...]
    reason: str


class ModelUsage(EventModel):
    """What one model was used for."""

    model: str
    requests: int
    input_tokens: int
    output_tokens: int
    cost: str | None = None
    """A decimal in the price's currency; None where no price is known."""


class RetrievalUsage(EventModel):
    """What retrieval did."""

    chunks: int
    embedded_texts: int


class Usage(StepEvent):
    """What a step used. The run's usage is the sum."""

    type: Literal["usage"] = "usage"
    models: tuple[ModelUsage, ...] | None = None
    retrieval: RetrievalUsage | None = None
    of: str | None = None
    """`namespace/name` of the member whose run used this, where an orchestrator passes it on. None for a run's own."""


class Restarted(Event):
    """Another host took the run over. Steps that have a result stand; text of the others is void."""

    type: Literal["restarted"] = "restarted"
    attempt: int
    """The attempt that begins."""
    discard: tuple[str, ...]
    """Steps that the attempt before had begun and not finished."""


Finish = Literal["stop", "length", "tool_calls", "content_filter", "abstained"]


class Done(Event):
    """The answer is whole."""

    type: Literal["done"] = "done"
    answer: str
    finish: Finish
    output: Json | None = None
    """The structured answer, where the agent gives one."""
    sources: tuple[Citation, ...]
    grounded: bool | None = None
    """Of a model's answer: whether it cites what it says. None for quotes, and for an abstention."""
    model: str | None = None
    """`provider:model` that wrote the answer."""
    as_message: bool | None = None
    """True where a protocol that has tasks and messages, such as A2A, answers with a message alone."""

    @property
    def abstained(self) -> bool:
        """Whether the agent declined to answer."""
        return self.finish == "abstained"


class Failed(Event):
    """There will be no answer."""

    type: Literal["failed"] = "failed"
    reason: str
    """One stable PascalCase word, as in the table of errors."""
    message: str


class Cancelled(Event):
    """The run was stopped before it had an answer."""

    type: Literal["cancelled"] = "cancelled"
    reason: str
    """One stable PascalCase word."""
    message: str


class Unknown(Event):
    """An event of a type, or of a shape, that this version does not know."""


MODELS: Mapping[str, type[Event]] = {
    model.model_fields["type"].default: model
    for model in (
        *(Started, Decision, Retrieved, ToolCall, ToolResult, Delta, MessageEnd, Artifact, Progress, PluginFailed),
        *(InputRequired, InputGiven, Discarded, Restarted, Usage, Done, Failed, Cancelled),
    )
}
"""The model of each type of event."""
TERMINAL = frozenset(("done", "failed", "cancelled"))
"""The types that end a run."""


def read(json: Json) -> Event:
    """An event that any version wrote, as far as this one knows it."""
    kind = str(json.get("type", ""))
    try:
        return MODELS[kind].model_validate(as_now(json), extra="ignore")
    except (KeyError, ValidationError):
        return Unknown(type=kind)


def ends(event: Event) -> bool:
    """Whether the run ends with it, for ever. The one rule of that."""
    return event.type in TERMINAL


class EventId(NamedTuple):
    """Where an event stands: `run.attempt.seq` on the wire, ordered by attempt and then by sequence number."""

    run: str
    attempt: int
    seq: int

    def __str__(self) -> str:
        return f"{self.run}.{self.attempt}.{self.seq}"

    @classmethod
    def parse(cls, text: str) -> "EventId":
        """Read the wire form.

        Raises:
            ValueError: if the text is not `run.attempt.seq`.
        """
        run, attempt, seq = text.rsplit(".", 2)
        return cls(run, int(attempt), int(seq))


@dataclass(frozen=True)
class NumberedEvent:
    """An event with its place in the stream."""

    id: EventId
    event: Event
    """As far as this version knows it."""
    written: Json | None = field(default=None, compare=False, repr=False)
    """The JSON of an event that was read, with what this version does not know, or that was stored; None for one that
    was made here."""

    @property
    def json(self) -> Json:
        """What clients get."""
        return self.event.to_json() if self.written is None else self.written

    @classmethod
    def read(cls, id: EventId, json: Json) -> "NumberedEvent":  # noqa: A002
        """An event that any version wrote."""
        return cls(id, read(json), json)
