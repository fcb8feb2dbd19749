"""What an agent passes on of an agent that it asks: the events, as its own, and the text only once it stands."""

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Literal, Protocol, Self

from slipway_runtime.agents.calling import CallFailed
from slipway_runtime.events import (
    Artifact,
    Cancelled,
    Delta,
    Discarded,
    Done,
    Event,
    EventModel,
    Failed,
    InputRequired,
    MessageEnd,
    PluginFailed,
    Progress,
    Restarted,
    Retrieved,
    StepEvent,
    ToolCall,
    ToolResult,
    Usage,
)
from slipway_runtime.problems import Reason
from slipway_runtime.protocols.ask import Ask
from slipway_runtime.run import Emit, Run

REFUSED = re.compile(r"does not take: ([a-z_, ]+)\.")
PATIENCE_SHARE = 0.5
"""Share of the time that is left in which an agent must begin its text, where something else comes after it: another
member, or the model that asked."""
LEAST_PATIENCE_SECONDS = 5.0
PASSED_ON = (Retrieved, ToolCall, ToolResult, Artifact, Progress, PluginFailed)


class AgentCall(Protocol):
    """One question to another agent."""

    ask: Ask
    key: str

    @property
    def agent(self) -> str:
        """`namespace/name` of it, or the name of one that is elsewhere."""
        ...

    def events(self) -> AsyncGenerator[Event]:
        """The events of its run, up to the last one. Raises CallFailed."""
        ...

    async def cancel(self) -> None:
        """End its run, if that works at once."""
        ...

    def with_ask(self, ask: Ask, *, key: str) -> Self:
        """The same call with another question."""
        ...


class MemberAnswer(EventModel):
    """What came of a call: JSON, so that a step can record it."""

    state: Literal["answered", "abstained", "failed"]
    done: Done | None = None
    reason: str = ""
    message: str = ""


def patience_of(run: Run) -> float:
    """Seconds in which an agent must begin its text."""
    return max(LEAST_PATIENCE_SECONDS, run.time_left() * PATIENCE_SHARE)


async def ask_member(call: AgentCall, *, step: str, emit: Emit, patience: float | None = None) -> MemberAnswer:
    """Ask a member and pass on what it says, within the step that calls this.

    A text is passed on from its second piece on, or at its end, since an agent that abstains says one. What was passed
    on of a text that does not stand is discarded.

    Args:
        step: the key of the step.
        patience: seconds until the text must begin; None for as long as the run has.
    """
    forwarding = Forwarding(step, emit, member=call.agent)
    try:
        async with asyncio.timeout(patience) as limit, aclosing(call.events()) as events:
            async for event in events:
                forwarding.take(event)
                if forwarding.begun:
                    limit.reschedule(None)
                if isinstance(event, InputRequired):
                    break
    except TimeoutError:
        if not limit.expired():
            raise
        await call.cancel()
        return forwarding.failed("MemberTimeout", f"it said nothing within {patience:.0f} s")
    except CallFailed as error:
        return forwarding.failed(error.reason, error.message)
    if forwarding.last is None:
        await call.cancel()
        return forwarding.failed("MemberWaits", "it waits for an input, which cannot be given through another agent")
    return forwarding.end(forwarding.last)


async def ask_with_less(
    call: AgentCall, *, without: frozenset[str], step: str, emit: Emit, patience: float | None = None
) -> MemberAnswer:
    """The same, and once more without what the member refuses.

    Args:
        without: fields of the ask and kinds of its parts that the member can do without.
    """
    answer = await ask_member(call, step=step, emit=emit, patience=patience)
    refused = _refused(answer)
    if not refused or not refused <= without:
        return answer
    plain = call.with_ask(_less(call.ask, refused), key=f"{call.key}/plain")
    return await ask_member(plain, step=step, emit=emit, patience=patience)


def _refused(answer: MemberAnswer) -> frozenset[str]:
    """What of the question the member does not take."""
    found = REFUSED.search(answer.message) if answer.reason == Reason.INVALID_REQUEST else None
    return frozenset(found[1].split(", ")) if found else frozenset()


def _less(ask: Ask, names: frozenset[str]) -> Ask:
    fields = {name: None for name in names & set(Ask.model_fields)}
    return ask.model_copy(update={**fields, "parts": tuple(part for part in ask.parts if part.kind not in names)})


class Forwarding:
    """The events of one member's run, on their way."""

    def __init__(self, step: str, emit: Emit, *, member: str) -> None:
        self._step = step
        self._emit = emit
        self._member = member
        self._pieces: list[Delta | MessageEnd] = []
        """The text that stands."""
        self._used: list[Usage] = []
        self.begun = False
        """Whether text has been passed on."""
        self.last: Done | Failed | Cancelled | None = None

    def take(self, event: Event) -> None:
        """Take the next event."""
        match event:
            case Delta() | MessageEnd():
                self._take_text(event)
            case Discarded(steps=void) | Restarted(discard=void):
                self._drop(frozenset(void))
            case Usage():
                self._used.append(event)
            case Done() | Failed() | Cancelled():
                self.last = event
            case _ if isinstance(event, PASSED_ON):
                self._emit(_own(event))
            case _:
                pass

    def end(self, last: Done | Failed | Cancelled) -> MemberAnswer:
        """What came of it."""
        if not isinstance(last, Done):
            return self.failed(last.reason, last.message)
        if last.abstained:
            self._discard("MemberAbstained")
            self._account()
            return MemberAnswer(state="abstained", done=last)
        if not self.begun:
            self._begin()
        self._account()
        return MemberAnswer(state="answered", done=last)

    def failed(self, reason: str, message: str) -> MemberAnswer:
        """What came of a call without an answer."""
        self._discard("MemberFailed")
        self._account()
        return MemberAnswer(state="failed", reason=reason, message=message)

    def _take_text(self, event: Delta | MessageEnd) -> None:
        self._pieces.append(event)
        if self.begun:
            self._emit(_own(event))
        elif sum(isinstance(each, Delta) and each.channel == "answer" for each in self._pieces) > 1:
            self._begin()

    def _begin(self) -> None:
        self.begun = True
        for each in self._pieces:
            self._emit(_own(each))

    def _drop(self, void: frozenset[str]) -> None:
        """Some of the member's own steps are void, so their text is, also where it was passed on."""
        stands = [each for each in self._pieces if each.step not in void]
        self._used = [each for each in self._used if each.step not in void]
        if len(stands) == len(self._pieces):
            return
        self._pieces = stands
        if self.begun:
            self._emit(Discarded(steps=(self._step,), reason="MemberRestarted"))
            for each in stands:
                self._emit(_own(each))

    def _discard(self, reason: str) -> None:
        if self.begun:
            self._emit(Discarded(steps=(self._step,), reason=reason))

    def _account(self) -> None:
        """Last, since what is discarded takes the usage before it along. It names the run that used it."""
        for each in self._used:
            self._emit(_own(each.model_copy(update={"of": each.of or self._member})))


def _own(event: StepEvent) -> StepEvent:
    """The event as one of the asking step, which names it."""
    fields: Mapping[str, Any] = {name: getattr(event, name) for name in event.model_fields_set - {"step"}}
    return type(event)(**fields)
