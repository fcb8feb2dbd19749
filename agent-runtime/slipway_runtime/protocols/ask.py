"""What is asked of an agent: the one form into which every skin parses its requests, and which hosts take as JSON.

An agent refuses by name what it cannot do. A field that a newer gateway sends and this version does not know is refused
by name too: nobody gets an answer that left out a part of the question without saying so.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from slipway_runtime.problems import Problem, Reason

QUESTION_CHARACTERS = 32_768
"""Of the texts of a question, on every protocol."""
ASK_BYTES = 64 * 1024
"""Bytes in an ask as JSON that is a question only."""
HISTORY_BYTES = 1024 * 1024
"""The same with a conversation, for an agent that takes no pictures."""
LARGE_ASK_BYTES = 8 * 1024 * 1024
"""The same for an agent that does."""
SESSION_ID_PATTERN = "^[0-9A-Za-z-]{1,64}$"
TOOL_NAME_PATTERN = "^[a-zA-Z0-9_-]{1,64}$"
OF_THE_RUN = frozenset(("parts", "unfollowed_seconds", "metadata", "begins_session", "without_tools", "groups"))
"""What of an ask no agent needs to honour."""
TASK = "slipway/task"
"""Key of `Ask.metadata` that no client can give. See `Ask.task`."""
Json = Mapping[str, Any]


class AskModel(BaseModel):
    """Base of an ask and of what is in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TextPart(AskModel):
    """Words of the caller."""

    kind: Literal["text"] = "text"
    text: str


class ImagePart(AskModel):
    """A picture, as Base64."""

    kind: Literal["image"] = "image"
    media_type: str
    data: str


class FilePart(AskModel):
    """A file, as Base64."""

    kind: Literal["file"] = "file"
    name: str
    media_type: str
    data: str


class DataPart(AskModel):
    """An object for the agent: data to work with, never instructions."""

    kind: Literal["data"] = "data"
    data: Json


Part = Annotated[TextPart | ImagePart | FilePart | DataPart, Field(discriminator="kind")]


class ToolUse(AskModel):
    """A tool that was called in an earlier message."""

    id: str
    name: str
    args: Json


class Message(AskModel):
    """A message of a conversation that the client keeps."""

    role: Literal["system", "user", "assistant", "tool"]
    """`system` messages are the client's. They rank below the agent's own instructions."""
    parts: tuple[Part, ...] = ()
    tool_calls: tuple[ToolUse, ...] | None = None
    """What an assistant's message calls."""
    tool_call_id: str | None = None
    """The call that a tool's message is the result of."""

    @property
    def text(self) -> str:
        """All that it says in words."""
        return "\n".join(part.text for part in self.parts if isinstance(part, TextPart))


class ClientTool(AskModel):
    """A tool that the client runs."""

    name: Annotated[str, Field(pattern=TOOL_NAME_PATTERN)]
    description: str | None = None
    parameters: Json
    """JSON Schema of its arguments."""


class Ask(AskModel):
    """A question and everything that comes with it."""

    parts: Annotated[tuple[Part, ...], Field(min_length=1)]
    history: tuple[Message, ...] | None = None
    """Messages before this one, where the client keeps the conversation. Such a run belongs to no session."""
    continuation: tuple[Message, ...] | None = None
    """Messages after this one (tool calls and their results), where a run goes on from messages alone."""
    client_tools: tuple[ClientTool, ...] | None = None
    tool_choice: str | None = None
    """`auto`, `required`, or the name of the client's tool to call. None: as the agent does."""
    output_schema: Json | None = None
    """JSON Schema of the answer."""
    settings: Json | None = None
    """Of the model, by the names of pydantic-ai's `ModelSettings`."""
    session: Annotated[str, Field(pattern=SESSION_ID_PATTERN)] | None = None
    """The conversation to go on with."""
    begins_session: Literal[True] | None = None
    """The session is begun if it is not there: its id is made from one that a client chose, such as an AG-UI thread."""
    resume: Json | None = None
    """Answers to what a run waits for, by the input's id."""
    force_agent: str | None = None
    """The name of the member that an orchestrator must choose, or an architecture that the member must have."""
    metadata: Json | None = None
    unfollowed_seconds: Annotated[int, Field(ge=1)] | None = None
    """After which the run is cancelled if nobody follows it. A run that waits for somebody is let be."""
    grant: str | None = None
    """The right of an agent to ask another one for its caller."""
    without_tools: tuple[str, ...] | None = None
    """Tools of the agent that its caller may not use, and so its models may not call for them: names of entries of
    `spec.tools`, or of what models see of these, and `web_search`."""
    groups: tuple[str, ...] | None = None
    """Of the caller when the question was asked, as the host verified them: what documents are read for."""

    @property
    def text(self) -> str:
        """All that the caller says in words."""
        return "\n".join(part.text for part in self.parts if isinstance(part, TextPart))

    @property
    def task(self) -> str | None:
        """What a front end asks for on its own behalf, such as `title`; answered without retrieval. None otherwise."""
        task = (self.metadata or {}).get(TASK)
        return task if isinstance(task, str) else None

    @property
    def data(self) -> Json | None:
        """What the caller gives along; the last one, if there are several."""
        given = [part.data for part in self.parts if isinstance(part, DataPart)]
        return given[-1] if given else None

    def to_json(self) -> bytes:
        """What goes to a host: the fields that are set.

        Raises:
            Problem: `QuestionTooLarge`, or `InvalidRequest` for too many characters.
        """
        if len(self.text) > QUESTION_CHARACTERS:
            detail = f"A question has at most {QUESTION_CHARACTERS:,} characters: shorten it."
            raise Problem(Reason.INVALID_REQUEST, detail)
        data = self.model_dump_json(exclude_none=True).encode()
        limit = LARGE_ASK_BYTES if self.history is not None or self._has_images else ASK_BYTES
        if len(data) > limit:
            raise too_large(limit)
        return data

    @property
    def _has_images(self) -> bool:
        return any(isinstance(part, ImagePart) for part in self.parts)

    def require_only(self, *honoured: str) -> None:
        """See that nothing is asked but what can be done.

        Args:
            honoured: kinds of parts, those of earlier messages too, and fields besides `parts`.

        Raises:
            Problem: `InvalidRequest`, naming what cannot be done.
        """
        messages = (*(self.history or ()), *(self.continuation or ()))
        kinds = {part.kind for part in self.parts}.union(*({part.kind for part in each.parts} for each in messages))
        own = set(type(self).model_fields) - OF_THE_RUN
        fields = {name for name in own if getattr(self, name) is not None}
        if odd := sorted((kinds | fields) - set(honoured)):
            raise Problem(Reason.INVALID_REQUEST, f"This agent does not take: {', '.join(odd)}. Leave it out.")


def too_large(limit: int) -> Problem:
    """More than a host takes: `limit` bytes."""
    return Problem(
        Reason.QUESTION_TOO_LARGE,
        f"A question with all that comes with it has at most {limit // 1024} KiB: shorten it.",
    )


def read_ask(body: bytes) -> Ask:
    """An ask that a gateway sent.

    Raises:
        Problem: `InvalidJSON` or `InvalidRequest`. The detail names fields, never what was in them.
    """
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Problem(Reason.INVALID_JSON, "The body must be an ask as JSON.") from None
    try:
        return Ask.model_validate(data)
    except ValidationError as error:
        raise invalid(error, "") from None


def invalid(error: ValidationError, hint: str) -> Problem:
    """What is wrong with a request, field by field, without what was in them."""
    faults = (f"{'.'.join(map(str, fault['loc'])) or 'body'}: {fault['msg']}" for fault in error.errors())
    return Problem(Reason.INVALID_REQUEST, f"{'; '.join(faults)}. {hint}".rstrip())
