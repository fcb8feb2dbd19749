"""A run's events as those of AG-UI 1.0 (https://docs.ag-ui.com/spec/1.0).

What the protocol has no event for goes out as `CUSTOM`, under the name of the event. An answer's sources are the custom
event `sources`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import orjson

from slipway_runtime.events import (
    Cancelled,
    Delta,
    Discarded,
    Done,
    Event,
    Failed,
    InputRequired,
    Json,
    MessageEnd,
    Restarted,
    StepEvent,
    ToolCall,
    ToolResult,
    Usage,
    read,
)
from slipway_runtime.problems import Problem
from slipway_runtime.protocols import sse
from slipway_runtime.protocols.ag_ui_transcript import Call, Said, Thread, arguments
from slipway_runtime.protocols.transcript import Transcript

VERSION = "1.0"
CUSTOM = frozenset(("decision", "retrieved", "artifact", "progress", "plugin_failed"))
"""Types of events that go out as they are."""
REASONS: Mapping[str, str] = MappingProxyType({"approval": "confirmation", "form": "input_required"})
"""Why a run waits, in the protocol's words."""
APPROVAL: Json = MappingProxyType(
    {"type": "object", "properties": {"approved": {"type": "boolean"}}, "required": ["approved"]}
)


@dataclass(frozen=True)
class AgUiRun:
    """What all events of a request have in common."""

    key: str
    """With which the ids of the messages begin."""
    agent: str
    """`namespace/name`."""
    thread_id: str
    run_id: str
    """The client's own names."""
    messages: Sequence[Json]
    """Those that it sent, without those of this run."""
    former: int = 0
    """How many of this run it has: it comes back after its connection broke."""
    declares: bool = True
    """Whether it names the protocol's version: clients before 1.0 do not, and refuse outcomes that they do not know."""


class AgUiStream:
    """See `StreamRenderer`.

    Args:
        run: the run whose events come.
    """

    headers: Mapping[str, str] = MappingProxyType({"content-type": sse.MEDIA_TYPE, "x-accel-buffering": "no"})
    cancels = False

    def __init__(self, shown: AgUiRun, *, run: str) -> None:
        self._shown = shown
        self._run = run
        self._thread = Thread(shown.messages, key=shown.key, former=shown.former)
        self._transcript = Transcript()
        self._begun = False
        self._open: Said | None = None
        """The message that is open, with a text or a reasoning."""
        self._last: Said | None = None
        """The agent's last message, which the calls after it belong to."""
        self._step: str | None = None
        self._steps: set[str] = set()
        self._calls: dict[str, Call] = {}
        self.over = False

    def feed(self, frames: bytes) -> bytes:
        out: list[Json] = []
        for kind, data in sse.read_frames(frames):
            if not self.over:
                out += self._begin()
                out += self._event(kind, data)
        return b"".join(map(_frame, out)) or (sse.PING if frames.startswith(b":") else b"")

    def failed(self, problem: Problem) -> bytes:
        out = [*self._begin(), *self._error(problem.reason.value, problem.detail)]
        return b"".join(map(_frame, out))

    def _begin(self) -> Iterator[Json]:
        if self._begun:
            return
        self._begun = True
        shown = self._shown
        yield {"type": "RUN_STARTED", **self._names, "protocolVersion": VERSION}
        if shown.former:
            yield self._snapshot()

    @property
    def _names(self) -> Json:
        return {"threadId": self._shown.thread_id, "runId": self._shown.run_id}

    def _event(self, kind: str, data: bytes) -> Iterator[Json]:
        decoded = orjson.loads(data)
        if not isinstance(decoded, dict):
            raise ValueError("an event that is no object")
        event = read(decoded)
        self._transcript.add(event)
        yield from self._stepped(event)
        if kind in CUSTOM:
            yield _custom(kind, {name: value for name, value in decoded.items() if name not in ("type", "step")})
        elif isinstance(event, Discarded | Restarted):
            yield from self._void(event.steps if isinstance(event, Discarded) else event.discard)
        elif isinstance(event, Done | Failed | Cancelled):
            yield from self._ended(event)
        else:
            yield from self._said(event)

    def _said(self, event: Event) -> Iterator[Json]:
        match event:
            case Delta() if event.text:
                yield from self._text(event)
            case MessageEnd():
                yield from self._close()
            case ToolCall():
                yield from self._call(event.step, event.id, event.name, event.args)
            case ToolResult() if event.where != "client":  # the client has those of its own tools
                yield from self._result(event)
            case InputRequired():
                yield from self._waits(event)
            case _:
                pass

    def _stepped(self, event: Event) -> Iterator[Json]:
        """Each step is shown once, until another one has an event."""
        step = event.step if isinstance(event, StepEvent) and not isinstance(event, Usage | InputRequired) else None
        if step is None or step == self._step or not step:
            return
        yield from self._end_step()
        if step not in self._steps:
            self._step = step
            self._steps.add(step)
            yield {"type": "STEP_STARTED", "stepName": step}

    def _end_step(self) -> Iterator[Json]:
        if self._step is not None:
            yield {"type": "STEP_FINISHED", "stepName": self._step}
            self._step = None

    def _text(self, delta: Delta) -> Iterator[Json]:
        role = "assistant" if delta.channel == "answer" else "reasoning"
        if self._open is None or self._open.role != role:
            yield from self._close()
            self._open = self._thread.begin(role)
            yield from _started(self._open)
        self._open.pieces.append((delta.step, delta.text))
        kind = "TEXT_MESSAGE_CONTENT" if role == "assistant" else "REASONING_MESSAGE_CONTENT"
        yield {"type": kind, "messageId": self._open.id, "delta": delta.text}

    def _close(self) -> Iterator[Json]:
        """End the message that is open."""
        said, self._open = self._open, None
        if said is None:
            return
        if said.role == "reasoning":
            yield {"type": "REASONING_MESSAGE_END", "messageId": said.id}
            yield {"type": "REASONING_END", "messageId": said.id}
        else:
            self._last = said
            yield {"type": "TEXT_MESSAGE_END", "messageId": said.id}

    def _call(self, step: str, call: str, name: str, args: Json | None) -> Iterator[Json]:
        if call in self._calls:
            return
        yield from self._close()
        parent = self._last = self._last or self._thread.begin("assistant")
        made = self._calls[call] = Call(step, call, name, arguments(args))
        parent.calls.append(made)
        yield {"type": "TOOL_CALL_START", "toolCallId": call, "toolCallName": name, "parentMessageId": parent.id}
        if made.args:
            yield {"type": "TOOL_CALL_ARGS", "toolCallId": call, "delta": made.args}
        yield {"type": "TOOL_CALL_END", "toolCallId": call}

    def _result(self, result: ToolResult) -> Iterator[Json]:
        yield from self._close()
        self._last = None  # what the agent says or calls from here on comes after the result
        said = self._thread.begin("tool", answers=result.id)
        said.pieces.append((result.step, result.summary or ""))
        yield {
            "type": "TOOL_CALL_RESULT",
            "messageId": said.id,
            "toolCallId": result.id,
            "content": result.summary or "",
            "role": "tool",
        }

    def _void(self, steps: Collection[str]) -> Iterator[Json]:
        if not self._thread.void(steps):
            return
        yield from self._close()
        self._last = None
        self._calls = {name: call for name, call in self._calls.items() if call.step not in steps}
        yield self._snapshot()

    def _snapshot(self) -> Json:
        return {"type": "MESSAGES_SNAPSHOT", "messages": self._thread.messages()}

    def _waits(self, asked: InputRequired) -> Iterator[Json]:
        if asked.kind == "client_tools":
            calls = asked.calls or ()
            for call in calls:
                yield from self._call(asked.step, call["id"], call["name"], call.get("args") or {})
            outcome: Json = {"type": "success", "pendingToolCallIds": [call["id"] for call in calls]}
        else:
            outcome = {"type": "interrupt", "interrupts": [self._interrupt(asked)]}
        yield from self._finished(outcome, {"run_id": self._run, "agent": self._shown.agent})

    def _interrupt(self, asked: InputRequired) -> Json:
        schema = asked.answer_schema or (APPROVAL if asked.kind == "approval" else {"type": "object"})
        metadata: dict[str, Any] = {"answerers": list(asked.answerers)}
        if asked.calls:
            metadata["calls"] = list(asked.calls)
        return {
            "id": f"{self._run}.{asked.id}",
            "reason": REASONS[asked.kind],
            "message": asked.prompt or f"This waits for an answer from {', '.join(asked.answerers)}.",
            "responseSchema": dict(schema),
            "expiresAt": datetime.fromtimestamp(asked.expires, UTC).isoformat(timespec="seconds"),
            "metadata": metadata,
        }

    def _ended(self, event: Done | Failed | Cancelled) -> Iterator[Json]:
        match event:
            case Failed():
                yield from self._error(event.reason, event.message)
            case Cancelled() if not self._shown.declares:
                yield from self._error("Cancelled", event.message)
            case Cancelled():
                yield from self._finished({"type": "cancelled"}, None)
            case Done():
                if event.answer and not self._transcript.text:
                    yield from self._text(Delta(step="", text=event.answer))
                if event.sources:
                    yield _custom("sources", [source.model_dump() for source in event.sources])
                yield from self._finished({"type": "success"}, self._result_of(event))

    def _result_of(self, done: Done) -> Json:
        decision = self._transcript.decision
        found = {
            "answer": done.answer,
            "abstained": done.abstained,
            "finish": done.finish,
            "run_id": self._run,
            "agent": self._shown.agent,
            "session_id": self._transcript.started.session_id if self._transcript.started else None,
            "agent_used": decision.decision.get("chosen_agent") if decision else self._shown.agent,
            "grounded": done.grounded,
            "model": done.model,
            "output": done.output,
        }
        return {name: value for name, value in found.items() if value is not None}

    def _finished(self, outcome: Json, result: Json | None) -> Iterator[Json]:
        self.over = True
        yield from self._close()
        yield from self._end_step()
        usage = _usage(self._transcript)
        # Clients before 1.0 take an absent outcome for success, and refuse what this one has besides.
        shown = {} if outcome["type"] == "success" and not self._shown.declares else {"outcome": outcome}
        yield {
            "type": "RUN_FINISHED",
            **self._names,
            **({} if result is None else {"result": result}),
            **shown,
            **({"usage": usage} if usage else {}),
        }

    def _error(self, code: str, message: str) -> Iterator[Json]:
        self.over = True
        yield from self._close()
        yield from self._end_step()
        yield {"type": "RUN_ERROR", "message": message, "code": code}


def _started(said: Said) -> Iterator[Json]:
    if said.role == "reasoning":
        yield {"type": "REASONING_START", "messageId": said.id}
        yield {"type": "REASONING_MESSAGE_START", "messageId": said.id, "role": "reasoning"}
    else:
        yield {"type": "TEXT_MESSAGE_START", "messageId": said.id, "role": "assistant"}


def _usage(transcript: Transcript) -> list[Json]:
    """Tokens of each model."""
    found: list[Json] = []
    for model in (transcript.usage or {}).get("models", ()):
        provider, _, name = model["model"].partition(":")
        tokens = {"inputTokens": model["input_tokens"], "outputTokens": model["output_tokens"]}
        found.append({"provider": provider, "model": name, **tokens, "totalTokens": sum(tokens.values())})
    return found


def _custom(name: str, value: object) -> Json:
    return {"type": "CUSTOM", "name": name, "value": value}


def _frame(event: Json) -> bytes:
    return b"data: %s\n\n" % orjson.dumps(event)
