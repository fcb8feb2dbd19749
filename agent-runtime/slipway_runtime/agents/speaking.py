"""A model's answer within a step: streamed as it comes, sentence by sentence where it is checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from pydantic_ai.messages import (
    FinishReason,
    ModelMessage,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.settings import ModelSettings

from slipway_crds.runtimeconfig import Role
from slipway_runtime.agents.grounding import NO_ANSWER, Grounding, Mark
from slipway_runtime.agents.marks import split
from slipway_runtime.events import Citation, Delta, Finish
from slipway_runtime.models import Models
from slipway_runtime.models.chain import ModelChain
from slipway_runtime.models.watching import StepWatcher, watching
from slipway_runtime.run import Emit

FINISHES: Mapping[FinishReason, Finish] = {"length": "length", "content_filter": "content_filter"}


@dataclass(frozen=True)
class Spoken:
    """What one step said."""

    text: str
    sources: tuple[Citation, ...] = ()
    """What it cites that was not cited before."""
    unsupported: tuple[str, ...] = ()
    """Sentences that nobody was shown, since no passage says them."""
    finish: Finish = "stop"
    model: str = ""
    """`provider:model` that answered."""
    numbers: Mapping[int, int] = field(default_factory=dict)
    """Number in the text by number of the passage."""

    def __bool__(self) -> bool:
        return bool(self.text)

    def to_json(self) -> dict[str, Any]:
        """As a step records it."""
        sources = [source.to_json() for source in self.sources]
        numbers = [list(pair) for pair in self.numbers.items()]
        return {**vars(self), "sources": sources, "unsupported": list(self.unsupported), "numbers": numbers}

    @classmethod
    def from_json(cls, json: Mapping[str, Any]) -> Self:
        """What `to_json` made."""
        sources = tuple(Citation.model_validate(source) for source in json["sources"])
        numbers = {passage: number for passage, number in json["numbers"]}
        return cls(**{**json, "sources": sources, "unsupported": tuple(json["unsupported"]), "numbers": numbers})


class _SpeechWatcher(StepWatcher):
    """Starts again where a model broke off."""

    said = False
    """Whether text of the present model was emitted."""
    void = False

    def discarded(self, reason: str) -> None:
        """See `Watcher`."""
        self.void = True
        if self.said:
            super().discarded(reason)
            self.said = False


async def ask_model(chain: ModelChain, messages: Sequence[ModelMessage], emit: Emit, *, step: str) -> str:
    """The text of one response, which nobody is shown. Raises Problem (ModelsUnavailable)."""
    watcher = _SpeechWatcher(emit, step)
    try:
        with watching(watcher):
            response = await chain.request(list(messages), None, ModelRequestParameters())
    finally:
        watcher.report()
    return "".join(part.content for part in response.parts if isinstance(part, TextPart))


async def speak(
    models: Models,
    role: Role,
    messages: Sequence[ModelMessage],
    settings: ModelSettings | None,
    emit: Emit,
    *,
    step: str,
    grounding: Grounding | None,
) -> Spoken:
    """Ask a model and emit its answer as `delta` events.

    Args:
        grounding: sees each sentence before anybody else; None passes everything on.

    Raises:
        Problem: ModelsUnavailable if no model answers.
    """
    watcher = _SpeechWatcher(emit, step)
    voice = _Voice(emit, watcher, grounding)
    try:
        with watching(watcher):
            async with models.for_role(role).request_stream(
                list(messages), settings, ModelRequestParameters()
            ) as stream:
                async for event in stream:
                    await voice.hear(event)
                response = stream.get()
        await voice.end()
    finally:
        watcher.report()
    return voice.spoken(finish=finish_of(response), model=models.answered_by(response).label)


def finish_of(response: ModelResponse) -> Finish:
    """How a model's answer came to its end."""
    return FINISHES.get(response.finish_reason or "stop", "stop")


def emit_text(text: str, citations: Sequence[Citation], emit: Emit) -> None:
    """Emit a piece of an answer, and each source that it is the first to cite."""
    emit(Delta(text=text, citation=citations[0]) if citations else Delta(text=text))
    for citation in citations[1:]:
        emit(Delta(text="", citation=citation))


class _Voice:
    """Turns a model's stream into deltas."""

    def __init__(self, emit: Emit, watcher: _SpeechWatcher, grounding: Grounding | None) -> None:
        self._emit = emit
        self._watcher = watcher
        self._grounding = grounding
        self._start = grounding.mark() if grounding else Mark(0, 0)
        self._pending = ""
        self._text: list[str] = []
        self._declined = False

    async def hear(self, event: Any) -> None:
        """Take the next event of the stream."""
        if self._watcher.void:
            self._restart()
        match event:
            case PartStartEvent(part=TextPart(content=text)) | PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
                await self._hear_text(text)
            case PartStartEvent(part=ThinkingPart(content=text)):
                self._think(text)
            case PartDeltaEvent(delta=ThinkingPartDelta(content_delta=text)):
                self._think(text or "")

    async def end(self) -> None:
        """Nothing follows."""
        if self._watcher.void:
            self._restart()
        await self._sentences(last=True)

    def spoken(self, *, finish: Finish, model: str) -> Spoken:
        """All that was said."""
        if self._grounding is None:
            return Spoken("".join(self._text), finish=finish, model=model)
        parts, sources = self._grounding.since(self._start)
        unsupported = () if self._declined else tuple(self._grounding.unsupported)
        return Spoken("".join(parts), sources, unsupported, finish, model, dict(self._grounding.numbers))

    def _restart(self) -> None:
        self._watcher.void = False
        self._pending, self._text, self._declined = "", [], False
        if self._grounding is not None:
            self._grounding.back_to(self._start)

    async def _hear_text(self, text: str) -> None:
        if not text:
            return
        if self._grounding is None:
            self._say(text, ())
            return
        self._pending += text
        await self._sentences(last=False)

    async def _sentences(self, *, last: bool) -> None:
        if self._grounding is None:
            return
        whole, self._pending = split(self._pending, last=last)
        for sentence in whole:
            if sentence.strip(" \n.*`\"'").startswith(NO_ANSWER):
                self._declined = True
            elif not self._declined and (kept := await self._grounding.add(sentence)) is not None:
                self._say(*kept)

    def _say(self, text: str, citations: tuple[Citation, ...]) -> None:
        self._watcher.said = True
        self._text.append(text)
        emit_text(text, citations, self._emit)

    def _think(self, text: str) -> None:
        if text:
            self._watcher.said = True
            self._emit(Delta(text=text, channel="reasoning"))
