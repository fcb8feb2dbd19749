"""A run as the answer to a call of the tool `ask`: progress while it goes on, and its result at the end.

Progress has pieces of the answer's text, of which some may become void; the result has what stands.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import orjson

from slipway_runtime.events import (
    Artifact,
    Cancelled,
    Citation,
    Decision,
    Delta,
    Discarded,
    Done,
    Event,
    Failed,
    InputRequired,
    Progress,
    Restarted,
    Retrieved,
    Started,
    ToolCall,
    read,
)
from slipway_runtime.identity import Caller
from slipway_runtime.problems import Problem
from slipway_runtime.protocols import sse
from slipway_runtime.protocols.mcp import elicitation, messages, results
from slipway_runtime.protocols.mcp.eras import RESUMABLE_SINCE, Context
from slipway_runtime.protocols.mcp.messages import Id, Json
from slipway_runtime.protocols.mcp.sealing import Kind
from slipway_runtime.protocols.skin import Answer
from slipway_runtime.protocols.waiting import place_of

HEADERS: Mapping[str, str] = MappingProxyType({"content-type": sse.MEDIA_TYPE, **sse.HEADERS})
INPUT = "input"
"""Key of the one request in an `InputRequiredResult`."""


@dataclass(frozen=True)
class AskCall:
    """A call of `ask`, with what its answer needs to know of it."""

    id: Id
    token: Id | None
    """By which the client wants progress; None for a client that wants none."""
    agent: str
    """`namespace/name`."""
    run: str
    context: Context
    caller: Caller
    info: Json
    """What the server says it is."""
    seal: Callable[[Kind, Json], str]
    uri: Callable[[Citation], str | None]
    """The address of the document that a citation quotes; None where the server has no documents."""

    def kept(self, **more: object) -> Json:
        """What goes on with this answer, on any replica."""
        return {"id": self.id, "token": self.token, "agent": self.agent, "run": self.run, **more}


@dataclass
class Standing:
    """How far a client is.

    Args:
        place: id of the last event that it has; empty for none.
        progress: notifications that it has been sent.
        session: the session that the run belongs to; None for none, or before it is known.
    """

    place: str = ""
    progress: int = 0
    session: str | None = None

    def kept(self) -> Json:
        """What says it to another replica."""
        return {"place": self.place, "progress": self.progress, "session": self.session}


def input_required(form: Json, state: str) -> Json:
    """The result that asks the client's user something, in revision 2026-07-28.

    Args:
        form: parameters of `elicitation/create`.
        state: comes back with the answer.
    """
    asked = {INPUT: {"method": elicitation.METHOD, "params": form}}
    return {"resultType": "input_required", "inputRequests": asked, "requestState": state}


class AskEvents:
    """Makes messages of a run's events."""

    def __init__(self, question: AskCall, standing: Standing | None = None) -> None:
        self._question = question
        self._at = standing or Standing()
        self._begun = standing is not None
        self._artifacts: dict[str, list[Artifact]] = {}
        self.over = False

    def take(self, frames: bytes) -> bytes:
        """What goes to a stream now. Raises ValueError for an event that no host writes."""
        out = self._beginning()
        for place, _, data in sse.read_numbered(frames):
            decoded = orjson.loads(data)
            if not isinstance(decoded, dict):
                raise ValueError("an event that is no object")
            self._at.place = place
            out += b"".join(self._messages(read(decoded)))
        return out

    def _beginning(self) -> bytes:
        """An event with an id before anything has happened, by which a client comes back that lost its connection."""
        if self._begun:
            return b""
        self._begun = True
        resumable = not self._question.context.modern and self._question.context.version >= RESUMABLE_SINCE
        return b"%sdata: \n\n" % self._id() if resumable else b""

    def _messages(self, event: Event) -> list[bytes]:
        match event:
            case Started():
                self._at.session = event.session_id
            case Artifact():
                self._artifacts.setdefault(event.id, []).append(event)
            case Done():
                return [self._result(self._answer(event))]
            case Failed() | Cancelled():
                return [self._result(results.failed(f"{event.reason}: {event.message}"))]
            case InputRequired():
                return [self._asked(event)]
            case Restarted() | Discarded():
                void = event.discard if isinstance(event, Restarted) else event.steps
                self._artifacts = {
                    key: [each for each in parts if each.step not in void] for key, parts in self._artifacts.items()
                }
            case _:
                pass
        said = _progress(event)
        return [self._notify(said, event)] if said and self._question.token is not None else []

    def _notify(self, said: str, event: Event) -> bytes:
        self._at.progress += 1
        params: dict[str, object] = {
            "progressToken": self._question.token,
            "progress": self._at.progress,
            "message": said,
        }
        return self._frame(messages.notification("notifications/progress", params))

    def _asked(self, asked: InputRequired) -> bytes:
        question = self._question
        form = elicitation.form(asked) if question.context.elicits and _answers(question.caller, asked) else None
        if form is None:
            waits = place_of(asked, agent=question.agent, run=question.run)
            return self._result(results.text(waits, structuredContent={"answer": waits, "run_id": question.run}))
        if not question.context.modern:
            name = question.seal("request", {"run": question.run, "input": asked.id, "kind": asked.kind})
            return self._frame(messages.request(name, elicitation.METHOD, form))
        kept = question.kept(input=asked.id, kind=asked.kind, form=form, **self._at.kept())
        return self._result(input_required(form, question.seal("state", kept)))

    def _answer(self, done: Done) -> Json:
        uri = self._question.uri
        sources = [each.model_dump() | ({"uri": at} if (at := uri(each)) else {}) for each in done.sources]
        structured = {
            "answer": done.answer,
            "abstained": done.abstained,
            "sources": sources,
            "run_id": self._question.run,
            **({} if self._at.session is None else {"session_id": self._at.session}),
            **({} if done.output is None else {"output": done.output}),
        }
        content = [
            {"type": "text", "text": done.answer},
            *self._images(),
            *_links(sources),
            *_session(self._at.session),
        ]
        return {"content": content, "structuredContent": structured}

    def _images(self) -> list[Json]:
        found: list[Json] = []
        for parts in self._artifacts.values():
            kind = parts[0].media_type if parts else ""
            if kind.startswith("image/") and all(each.data for each in parts):
                found.append({"type": "image", "mimeType": kind, "data": _joined(parts)})
        return found

    def _result(self, content: Json) -> bytes:
        self.over = True
        question = self._question
        content = results.finished(content, question.context, method="tools/call", info=question.info)
        return self._frame(messages.result(question.id, content))

    def _frame(self, message: bytes) -> bytes:
        return b"%sevent: message\ndata: %s\n\n" % (b"" if self._question.context.modern else self._id(), message)

    def _id(self) -> bytes:
        kept = self._question.kept(**self._at.kept(), over=self.over)
        return b"id: %s\n" % self._question.seal("event", kept).encode()


class AskStream(AskEvents):
    """See `StreamRenderer`."""

    headers = HEADERS
    cancels = False

    def feed(self, frames: bytes) -> bytes:
        """See `StreamRenderer`."""
        return self.take(frames) or sse.PING

    def failed(self, problem: Problem) -> bytes:
        """See `StreamRenderer`."""
        return self._result(results.failed(f"{problem.reason}: {problem.detail}"))


class AskWhole(AskEvents):
    """See `AnswerRenderer`: the result alone, for a client that takes no stream."""

    def __init__(self, question: AskCall, standing: Standing | None = None) -> None:
        super().__init__(question, standing)
        self._last = b""

    def feed(self, frames: bytes) -> None:
        """See `AnswerRenderer`."""
        self.take(frames)

    def answer(self) -> Answer | None:
        """See `AnswerRenderer`."""
        return Answer(200, {"content-type": "application/json"}, self._last) if self.over else None

    def _frame(self, message: bytes) -> bytes:
        self._last = message
        return b""


def _progress(event: Event) -> str:
    """What a client is notified of; empty for nothing."""
    match event:
        case Delta(channel="answer"):
            return event.text
        case Retrieved():
            return f"Found {event.chunks} passages"
        case Decision() if "chosen_agent" in event.decision:
            return f"{event.decision['chosen_agent']} answers"
        case ToolCall():
            return f"Calls {event.name}"
        case Progress():
            return event.text
        case Restarted() | Discarded():
            return "What was said so far is void; the answer begins anew"
    return ""


def _answers(caller: Caller, asked: InputRequired) -> bool:
    return "caller" in asked.answerers or any(f"group:{group}" in asked.answerers for group in caller.groups)


def _joined(parts: list[Artifact]) -> str:
    try:
        return base64.b64encode(b"".join(base64.b64decode(each.data or "") for each in parts)).decode()
    except binascii.Error:
        raise ValueError("an artifact that is not Base64") from None


def _links(sources: list[dict[str, Any]]) -> list[Json]:
    """Each document once."""
    named = {each["uri"]: each for each in reversed(sources) if "uri" in each}
    return [
        {"type": "resource_link", "uri": uri, "name": each["document"], "mimeType": "text/plain"}
        for uri, each in reversed(named.items())
    ]


def _session(session: str | None) -> list[Json]:
    """For models whose clients show them words only. It is not for the user."""
    if session is None:
        return []
    said = f"session_id: {session}"
    return [{"type": "text", "text": said, "annotations": {"audience": ["assistant"]}}]
