"""The events of one step on their way: texts go through the plugins sentence by sentence, the rest as it is."""

import asyncio
from collections.abc import Sequence

from slipway_runtime.agents.marks import split
from slipway_runtime.events import Artifact, Citation, Delta, Discarded, Event, Usage
from slipway_runtime.plugins.middleware.guard import Guard
from slipway_runtime.run import Emit

LONGEST = 4000
"""Characters after which a text without an end of a sentence is taken as one."""


class Speech:
    """Takes a step's events as they come, and emits them in their order.

    Args:
        key: of the step.
    """

    def __init__(self, key: str, guard: Guard, emit: Emit) -> None:
        self._key = key
        self._guard = guard
        self._emit = emit
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._of: Delta | None = None
        """Whose text is pending: message and channel."""
        self._pending = ""
        self._taken = 0
        """Characters of text so far."""
        self._citations: list[tuple[int, Citation]] = []
        """Sources that are still to be shown, each with where the text ends that it came with."""

    def put(self, event: Event) -> None:
        """See `Emit`."""
        self._queue.put_nowait(event)

    def end(self) -> None:
        """Nothing follows."""
        self._queue.put_nowait(None)

    async def pump(self) -> None:
        """Emit until the end."""
        while (event := await self._queue.get()) is not None:
            await self._take(event)
        await self._sentences(last=True)

    async def _take(self, event: Event) -> None:
        if isinstance(event, Delta):
            if self._of is not None and (event.message, event.channel) != (self._of.message, self._of.channel):
                await self._sentences(last=True)
            self._of = event
            self._pending += event.text
            self._taken += len(event.text)
            if event.citation is not None:
                self._citations.append((self._taken, event.citation))
            await self._sentences(last=len(self._pending) > LONGEST)
            return
        if isinstance(event, Discarded) and self._key in event.steps:
            self._pending, self._citations, self._of = "", [], None
        elif not isinstance(event, Usage):
            await self._sentences(last=True)
        if isinstance(event, Artifact) and event.text is not None:
            event = event.model_copy(update={"text": await whole(event.text, self._guard, self._emit)})
        self._emit(event)

    async def _sentences(self, *, last: bool) -> None:
        """Say the sentences that are whole, each with the sources that came with its text."""
        if self._of is None:
            return
        sentences, self._pending = split(self._pending, last=last)
        begun = self._taken - len(self._pending) - sum(map(len, sentences))
        for sentence in sentences or ([""] if last else []):
            begun += len(sentence)
            said = await self._guard.after(sentence, self._emit)
            cited = [each for end, each in self._citations if end <= begun]
            self._citations = self._citations[len(cited) :]
            citations = [await guarded(each, self._guard, self._emit) for each in cited]
            if self._guard.fatal is None and (said or citations):
                self._say(said, citations)

    def _say(self, text: str, citations: Sequence[Citation]) -> None:
        assert self._of is not None
        fields = {name: getattr(self._of, name) for name in self._of.model_fields_set - {"text", "citation", "step"}}
        first, *more = citations or (None,)
        self._emit(Delta(**{**fields, "text": text} | ({"citation": first} if first else {})))
        for citation in more:
            self._emit(Delta(**{**fields, "text": "", "citation": citation}))


async def guarded(citation: Citation, guard: Guard, emit: Emit) -> Citation:
    """A source whose quote has gone through the plugins too."""
    return citation.model_copy(update={"quote": await whole(citation.quote, guard, emit)})


async def whole(text: str, guard: Guard, emit: Emit) -> str:
    """A text that is there as a whole, sentence by sentence."""
    sentences, _ = split(text, last=True)
    return "".join([await guard.after(each, emit) for each in sentences])
