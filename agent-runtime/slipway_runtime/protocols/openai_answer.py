"""A run's events as OpenAI's chat completion, whole or in chunks.

What the protocol has no place for is under `slipway`, in the completion or in the last chunk with a choice: the run,
its sources, whether the agent abstained, what it used, and what it waits for.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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
    Restarted,
    ends,
    read,
)
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols import openai_errors as errors
from slipway_runtime.protocols import sse
from slipway_runtime.protocols.skin import Answer
from slipway_runtime.protocols.transcript import Transcript
from slipway_runtime.protocols.waiting import place_of

UNREAD = frozenset(
    (*("decision", "retrieved", "tool_call", "tool_result", "message_end", "artifact", "progress", "plugin_failed"),)
)
"""Types of events that no completion shows, and so need not be read."""
FINISH = {"abstained": "stop"}
"""Ends that OpenAI has another word for."""
TOOL_CALLS = "client_tools"


@dataclass(frozen=True)
class Completion:
    """What all chunks and the whole have in common."""

    run_id: str
    agent: str
    """`namespace/name`."""
    model: str
    """As the client named it."""
    structured: bool = False
    """Whether the client asked for a structured answer."""
    created: int = field(default_factory=lambda: int(time.time()))

    def of(self, kind: str, choices: Sequence[Mapping[str, object]], **more: object) -> dict[str, object]:
        """An object of the protocol."""
        return {
            "id": f"chatcmpl-{self.run_id}",
            "object": kind,
            "created": self.created,
            "model": self.model,
            "choices": choices,
            **more,
        }

    def text_of(self, done: Done) -> str:
        """The content of the message."""
        if self.structured and done.output is not None:
            return orjson.dumps(done.output).decode()
        return done.answer

    def place_of(self, asked: InputRequired) -> str:
        """The words of a message that ends because somebody is asked something."""
        return place_of(asked, agent=self.agent, run=self.run_id)

    def extra(self, transcript: Transcript, ending: Done | InputRequired) -> dict[str, object]:
        """What is under `slipway`."""
        found: dict[str, object] = {"run_id": self.run_id, "agent": self.agent, "usage": transcript.usage}
        if isinstance(ending, Done):
            written = {"grounded": ending.grounded, "model": ending.model}
            return {
                **found,
                **{name: value for name, value in written.items() if value is not None},
                "abstained": ending.abstained,
                "sources": [source.model_dump() for source in ending.sources],
            }
        hidden = ("type", "step", "calls")
        asked = {name: value for name, value in ending.to_json().items() if name not in hidden}
        return {**found, "abstained": False, "sources": [], "input_required": asked}


def usage_of(transcript: Transcript) -> dict[str, int]:
    """Tokens of all models of the run."""
    models = (transcript.usage or {}).get("models", ())
    prompt = sum(model["input_tokens"] for model in models)
    answered = sum(model["output_tokens"] for model in models)
    return {"prompt_tokens": prompt, "completion_tokens": answered, "total_tokens": prompt + answered}


def tool_calls_of(asked: InputRequired) -> list[dict[str, object]]:
    """The calls of client tools that a run waits for."""
    return [
        {
            "id": call["id"],
            "type": "function",
            "function": {"name": call["name"], "arguments": orjson.dumps(call.get("args") or {}).decode()},
        }
        for call in asked.calls or ()
    ]


def _events(frames: bytes) -> Iterable[Event]:
    for kind, data in sse.read_frames(frames):
        if kind not in UNREAD:
            decoded = orjson.loads(data)
            if not isinstance(decoded, dict):
                raise ValueError("an event that is no object")
            yield read(decoded)


class CompletionStream:
    """Chunks. A text that becomes void after it was sent ends the stream with an error and without `[DONE]`."""

    headers: Mapping[str, str] = MappingProxyType({"content-type": sse.MEDIA_TYPE, "x-accel-buffering": "no"})

    def __init__(self, completion: Completion, *, include_usage: bool, hold_text: bool) -> None:
        self._completion = completion
        self._include_usage = include_usage
        self._hold_text = hold_text
        self._transcript = Transcript()
        self._begun = False
        self._sent: set[str] = set()
        """Steps of which text was sent."""
        self._answered = False
        """Whether any of it belongs to the answer."""
        self.over = False
        self.cancels = False
        """Whether text that was sent became void."""

    def feed(self, frames: bytes) -> bytes:
        pieces = [self._event(event) for event in _events(frames) if not self.over]
        return b"".join(pieces) or (sse.PING if frames.startswith(b":") else b"")

    def failed(self, problem: Problem) -> bytes:
        self.over = True
        return _frame({"error": errors.error(problem)})

    def _event(self, event: Event) -> bytes:
        self._transcript.add(event)
        match event:
            case Delta() if not self._hold_text:
                return self._text(event)
            case Discarded(steps=void) | Restarted(discard=void):
                return self._void(void)
            case InputRequired():
                return self._waits(event)
            case Done():
                return self._done(event)
            case Failed() | Cancelled():
                return self.failed(errors.failure(event))
            case _:
                return b"" if self._begun else self._begin()

    def _begin(self) -> bytes:
        self._begun = True
        return self._delta({"role": "assistant", "content": ""})

    def _delta(self, delta: Mapping[str, object], finish: str | None = None, **more: object) -> bytes:
        begin = b"" if self._begun else self._begin()
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return begin + self._chunk([choice], **({"usage": None} if self._include_usage else {}), **more)

    def _chunk(self, choices: Sequence[Mapping[str, object]], **more: object) -> bytes:
        return _frame(self._completion.of("chat.completion.chunk", choices, **more))

    def _text(self, delta: Delta) -> bytes:
        if not delta.text:
            return b""
        self._sent.add(delta.step)
        if delta.channel == "reasoning":
            return self._delta({"reasoning_content": delta.text})
        self._answered = True
        return self._delta({"content": delta.text})

    def _void(self, steps: Iterable[str]) -> bytes:
        if self._sent.isdisjoint(steps):
            return b""
        self.over = self.cancels = True
        return _frame({"error": errors.restarted()})

    def _waits(self, asked: InputRequired) -> bytes:
        held = self._held(self._transcript.text)
        if asked.kind == TOOL_CALLS:
            calls = [{"index": index, **call} for index, call in enumerate(tool_calls_of(asked))]
            return held + self._delta({"tool_calls": calls}) + self._end("tool_calls", asked)
        gap = "\n\n" if self._transcript.text else ""
        return held + self._delta({"content": gap + self._completion.place_of(asked)}) + self._end("stop", asked)

    def _done(self, done: Done) -> bytes:
        text = self._held(self._completion.text_of(done))
        return text + self._end(FINISH.get(done.finish, done.finish), done)

    def _held(self, text: str) -> bytes:
        """The text of the message, if none of it was sent."""
        return self._delta({"content": text}) if text and not self._answered else b""

    def _end(self, finish: str, ending: Done | InputRequired) -> bytes:
        self.over = True
        last = self._delta({}, finish, slipway=self._completion.extra(self._transcript, ending))
        usage = self._chunk([], usage=usage_of(self._transcript)) if self._include_usage else b""
        return last + usage + b"data: [DONE]\n\n"


class WholeCompletion:
    """One object, made when the run has ended or waits for somebody."""

    def __init__(self, completion: Completion) -> None:
        self._completion = completion
        self._transcript = Transcript()
        self._last: Event | None = None

    def feed(self, frames: bytes) -> None:
        for event in _events(frames):
            if ends(event):
                self._last = event
            else:
                self._transcript.add(event)

    def answer(self) -> Answer | None:
        match self._last:
            case Failed() | Cancelled() as event:
                raise errors.failure(event)
            case Done() as done:
                message = {"content": self._completion.text_of(done)}
                return self._whole(message, FINISH.get(done.finish, done.finish), done)
            case None if self._transcript.asked:
                return self._waiting(self._transcript.asked)
            case None:
                return None
            case _:
                raise Problem(Reason.INTERNAL_ERROR, "The run ended in a way that this version does not know.")

    def _waiting(self, asked: InputRequired) -> Answer:
        text = self._transcript.text
        if asked.kind == TOOL_CALLS:
            return self._whole({"content": text or None, "tool_calls": tool_calls_of(asked)}, "tool_calls", asked)
        place = self._completion.place_of(asked)
        return self._whole({"content": f"{text}\n\n{place}" if text else place}, "stop", asked)

    def _whole(self, message: Mapping[str, object], finish: str, ending: Done | InputRequired) -> Answer:
        whole: dict[str, object] = {"role": "assistant", "refusal": None, **message}
        if reasoning := self._transcript.reasoning:
            whole["reasoning_content"] = reasoning
        choice: dict[str, Any] = {"index": 0, "message": whole, "logprobs": None, "finish_reason": finish}
        body = self._completion.of(
            "chat.completion",
            [choice],
            usage=usage_of(self._transcript),
            slipway=self._completion.extra(self._transcript, ending),
        )
        return Answer(200, {"content-type": "application/json"}, orjson.dumps(body))


def _frame(data: object) -> bytes:
    return b"data: %s\n\n" % orjson.dumps(data)
