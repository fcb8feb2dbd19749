"""What happens while a question is answered, as one numbered stream.

Every wire protocol (a *skin*) is laid over these events, and the store keeps them, so that a client that lost its
connection gets each of them once, from any pod. This module imports nothing of Slipway.
"""

from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class EventModel(BaseModel):
    """Base of all events: immutable, and strict about what it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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
    """Offsets of the quote in the stored document's text, in characters, end exclusive."""
    quote: str
    score: float
    """Similarity of the quote to the question, higher is better, at most 1."""


class Started(EventModel):
    """A run has been accepted."""

    type: Literal["started"] = "started"
    agent: str
    """`namespace/name` of the agent."""
    session_id: str


class Retrieved(EventModel):
    """The chunks that the answer is made from were found."""

    type: Literal["retrieved"] = "retrieved"
    chunks: int
    best_score: float


class Delta(EventModel):
    """A piece of the answer's text, to be appended."""

    type: Literal["delta"] = "delta"
    text: str
    citation: Citation | None = None


class Usage(EventModel):
    """What the answer cost."""

    type: Literal["usage"] = "usage"
    retrieved_chunks: int
    embedded_texts: int


class Restarted(EventModel):
    """Another host took the run over; text after `discard_from` of the attempt before is void."""

    type: Literal["restarted"] = "restarted"
    discard_from: int
    """Sequence number, of the attempt before, of the first event that no longer counts."""


class Done(EventModel):
    """The answer is whole."""

    type: Literal["done"] = "done"
    answer: str
    abstained: bool
    sources: tuple[Citation, ...]


class Failed(EventModel):
    """There will be no answer."""

    type: Literal["failed"] = "failed"
    reason: str
    """One stable PascalCase word, as in the table of errors."""
    message: str


class Cancelled(EventModel):
    """The caller asked for the run to stop."""

    type: Literal["cancelled"] = "cancelled"


Event = Annotated[
    Started | Retrieved | Delta | Usage | Restarted | Done | Failed | Cancelled, Field(discriminator="type")
]
EVENT: TypeAdapter[Event] = TypeAdapter(Event)
TERMINAL = (Done, Failed, Cancelled)


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


class NumberedEvent(NamedTuple):
    """An event with its place in the stream."""

    id: EventId
    event: Event
