"""A run as an agent with plugins around it sees it: the question as they left it, and events that they see first."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from slipway_runtime.events import InputKind
from slipway_runtime.plugins.middleware.guard import Guard
from slipway_runtime.plugins.middleware.speech import Speech
from slipway_runtime.protocols.ask import Message, Part, TextPart
from slipway_runtime.run import DAY, AgentRequest, Emit, Repeat, Run
from slipway_runtime.store.inputs import InputAnswer
from slipway_runtime.store.sessions import Summary

T = TypeVar("T")


class GuardedRun:
    """See `Run`.

    Args:
        texts: what replaces the caller's texts.
    """

    def __init__(self, run: Run, guard: Guard, texts: Mapping[str, str]) -> None:
        self._run = run
        self._guard = guard
        self._texts = texts

    @property
    def id(self) -> str:
        """See `Run`."""
        return self._run.id

    @property
    def agent(self) -> str:
        """See `Run`."""
        return self._run.agent

    @property
    def caller(self) -> str:
        """See `Run`."""
        return self._run.caller

    @property
    def session_id(self) -> str | None:
        """See `Run`."""
        return self._run.session_id

    @property
    def request(self) -> AgentRequest:
        """See `Run`."""
        return changed(self._run.request, self._texts)

    @property
    def notes(self) -> dict[str, Any]:
        """See `Run`."""
        return self._run.notes

    def time_left(self) -> float:
        """See `Run`."""
        return self._run.time_left()

    async def step(
        self,
        key: str,
        do: Callable[[Emit], Awaitable[T]],
        *,
        repeat: Repeat = "safe",
        input: Any = None,  # noqa: A002
    ) -> T:
        """See `Run`. Raises Problem (PluginFailed) too."""

        async def guarded(emit: Emit) -> T:
            speech = Speech(key, self._guard, emit)
            pumping = asyncio.create_task(speech.pump())
            try:
                result = await do(speech.put)
            except Exception:
                speech.end()
                await pumping  # what was said before it failed was said
                raise
            except BaseException:
                pumping.cancel()
                raise
            speech.end()
            await pumping
            if repeat != "never":  # what it did is known, whatever a plugin makes of its words
                self._guard.check()
            return result

        result = await self._run.step(key, guarded, repeat=repeat, input=input)
        self._guard.check()
        return result

    async def remember(self, summary: Summary) -> None:
        """See `Run`."""
        await self._run.remember(summary)

    async def ask(
        self,
        id: str,  # noqa: A002
        kind: InputKind,
        *,
        prompt: str | None = None,
        answer_schema: Mapping[str, Any] | None = None,
        calls: Sequence[Mapping[str, Any]] | None = None,
        answerers: Sequence[str] = ("caller",),
        seconds: float = DAY,
    ) -> InputAnswer:
        """See `Run`."""
        return await self._run.ask(
            id,
            kind,
            prompt=prompt,
            answer_schema=answer_schema,
            calls=calls,
            answerers=answerers,
            seconds=seconds,
        )


def texts_of(request: AgentRequest) -> list[str]:
    """The texts of the caller, each once: the question first, then those of the conversation before it."""
    former = [turn.question for turn in request.turns]
    kept = [part.text for message in _messages(request) for part in message.parts if isinstance(part, TextPart)]
    parts = [part.text for part in request.parts if isinstance(part, TextPart)]
    return [each for each in dict.fromkeys([request.question, *parts, *former, *kept]) if each.strip()]


def changed(request: AgentRequest, texts: Mapping[str, str]) -> AgentRequest:
    """A request with other texts in place of some."""
    if not texts:
        return request
    return replace(
        request,
        question=texts.get(request.question, request.question),
        parts=_parts(request.parts, texts),
        turns=tuple(replace(turn, question=texts.get(turn.question, turn.question)) for turn in request.turns),
        history=tuple(_message(each, texts) for each in request.history),
        continuation=tuple(_message(each, texts) for each in request.continuation),
    )


def _messages(request: AgentRequest) -> list[Message]:
    return [each for each in (*request.history, *request.continuation) if each.role == "user"]


def _message(message: Message, texts: Mapping[str, str]) -> Message:
    if message.role != "user":
        return message
    return message.model_copy(update={"parts": _parts(message.parts, texts)})


def _parts(parts: tuple[Part, ...], texts: Mapping[str, str]) -> tuple[Part, ...]:
    return tuple(
        part.model_copy(update={"text": texts.get(part.text, part.text)}) if isinstance(part, TextPart) else part
        for part in parts
    )
