"""Steps of one attempt: run once, recorded, and replayed by the attempts after it.

A safe step does not wait for its record: the log keeps the order in which everything was queued, so what is stored is
always a prefix of what happened. A step that costs, or must never run twice, waits until its start is stored.
"""

import asyncio
import hashlib
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn, Protocol, TypeVar, cast

import orjson

from slipway_runtime.agents import metrics
from slipway_runtime.events import (
    Delta,
    Discarded,
    Event,
    InputGiven,
    InputKind,
    InputRequired,
    MessageEnd,
    StepEvent,
)
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.run import DAY, AgentRequest, Emit, NothingDone, Repeat, StepFailed, UnknownOutcome, Waiting
from slipway_runtime.store.database import StoreUnavailable
from slipway_runtime.store.inputs import InputAnswer, step_of
from slipway_runtime.store.sessions import Summary
from slipway_runtime.store.steps import Replay, StepRecord

T = TypeVar("T")
INPUT_ID = re.compile("[0-9A-Za-z._-]{1,64}")
MESSAGE_CHARACTERS = 2000
"""Of an error's message that are recorded."""
PLAIN = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
"""A result that would come back as something else is refused."""
log = logging.getLogger(__name__)
_inside: ContextVar["_OpenStep | None"] = ContextVar("step", default=None)
"""The step that this code runs in."""


class Journal(Protocol):
    """Where an attempt's events and records go."""

    def put(self, *entries: Event | StepRecord) -> None:
        """Queue entries. They are stored in the order in which they came; those of one call together."""
        ...

    async def stored(self) -> None:
        """Return once everything that was queued before is in the store."""
        ...


@dataclass
class MemoryJournal:
    """A journal that keeps nothing: for an agent that is called without a host."""

    entries: list[Event | StepRecord] = field(default_factory=list)

    def put(self, *entries: Event | StepRecord) -> None:
        """See `Journal`."""
        self.entries += entries

    async def stored(self) -> None:
        """See `Journal`."""

    @property
    def events(self) -> list[Event]:
        """The events so far."""
        return [entry for entry in self.entries if isinstance(entry, Event)]


def input_digest(value: Any) -> str | None:
    """SHA-256 of a value's canonical JSON, in hexadecimal; None for None."""
    if value is None:
        return None
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


class StepRun:
    """See `Run`.

    Args:
        time_left: seconds until the question's deadline.
        replay: what former attempts left.
        answers: inputs that were given, by their id.
        save: keeps a summary with the session; None where there is none.
    """

    def __init__(
        self,
        request: AgentRequest,
        journal: Journal,
        *,
        id: str = "",  # noqa: A002
        agent: str = "",
        caller: str = "",
        session_id: str | None = None,
        time_left: float = DAY,
        replay: Replay | None = None,
        answers: Mapping[str, InputAnswer] | None = None,
        save: Callable[[Summary], Awaitable[None]] | None = None,
    ) -> None:
        self.id = id
        self.agent = agent
        self.caller = caller
        self.session_id = session_id
        self.request = request
        self.journal = journal
        self._deadline = time.monotonic() + time_left
        self.notes: dict[str, Any] = {}
        self._begun = frozenset(replay.void if replay else ())
        self._finished = dict(replay.finished) if replay else {}
        self._asked = replay.asked if replay else {}
        self._answers = answers or {}
        self._save = save
        self._taken: set[str] = set()
        self._open: dict[str, _OpenStep] = {}
        self._speaker: str | None = None
        self._waits_for: InputRequired | None = None
        self._all_closed = asyncio.Event()
        self._unknown: str | None = None

    def time_left(self) -> float:
        """See `Run`."""
        return self._deadline - time.monotonic()

    def check(self) -> None:
        """Raise what the run must end with, whatever the agent made of it.

        Raises:
            UnknownOutcome: if a `never` step has no result.
        """
        open_never = (step.key for step in self._open.values() if step.never)
        if unknown := self._unknown or next(open_never, None):
            raise UnknownOutcome(unknown)

    async def step(
        self,
        key: str,
        do: Callable[[Emit], Awaitable[T]],
        *,
        repeat: Repeat = "safe",
        input: Any = None,  # noqa: A002
    ) -> T:
        """See `Run`."""
        if key in self._taken:
            raise RuntimeError(f"the step {key!r} was taken before in this attempt: give each step a key of its own")
        self._taken.add(key)
        digest = input_digest(input)
        if (record := self._recorded(key, digest)) is not None:
            return cast(T, _outcome(record))
        await self._may_begin()
        step = self._open[key] = _OpenStep(self, key, repeat, digest)
        inside = _inside.set(step)
        try:
            return await self._run(step, do)
        finally:
            _inside.reset(inside)
            self._close(step)

    async def remember(self, summary: Summary) -> None:
        """See `Run`."""
        later = tuple(turn for turn in self.request.turns if turn.number > summary.turn)
        self.request = replace(self.request, summary=summary, turns=later)
        if self._save is None:
            return
        await self.journal.stored()  # what was paid is recorded before it is of use
        try:
            await self._save(summary)
        except StoreUnavailable as error:
            log.warning("a summary is not kept: %s", error, extra={"run": self.id})

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
        if not INPUT_ID.fullmatch(id):
            raise ValueError(f"an input's id is 1 to 64 letters, digits, dots, hyphens or underscores, not {id!r}")
        if (inside := self._inside()) is not None:
            raise RuntimeError(f"the step {inside.key!r} asks for an input: ask outside of steps")
        set_fields = {"prompt": prompt, "answer_schema": answer_schema, "calls": calls and tuple(calls)}
        required = InputRequired(
            step=step_of(id),
            id=id,
            kind=kind,
            answerers=tuple(answerers),
            expires=time.time() + seconds,
            **{name: value for name, value in set_fields.items() if value is not None},
        )
        if (answer := self._answers.get(id)) is not None:
            self._same(required)
            return answer
        self._waits_for = self._waits_for or required
        await self._wait()

    def _same(self, required: InputRequired) -> None:
        """An answer counts only for what was asked."""
        before, now = self._asked.get(required.id, {}), required.to_json()
        if any(before.get(name) != now.get(name) for name in ("kind", "prompt", "answer_schema", "calls")):
            raise RuntimeError(f"the input {required.id!r} asks something else than before: give it an id of its own")

    async def _may_begin(self) -> None:
        self._check_known()
        if self._waits_for is not None and self._inside() is None:
            await self._wait()

    def _inside(self) -> "_OpenStep | None":
        """The step of this run that the caller is part of."""
        step = _inside.get()
        return step if step is not None and step.run is self else None

    def _check_known(self) -> None:
        if self._unknown is not None:
            raise UnknownOutcome(self._unknown)

    async def _wait(self) -> NoReturn:
        """Raise `Waiting` once no step is open: one that is cancelled in mid-air may have acted."""
        assert self._waits_for is not None
        while self._open:
            self._all_closed.clear()
            await self._all_closed.wait()
        self._check_known()
        raise Waiting(self._waits_for)

    def _recorded(self, key: str, digest: str | None) -> StepRecord | None:
        """The record that stands for the step; one that was made from something else is discarded."""
        record = self._finished.get(key)
        if record is None or record.input == digest:
            return record
        keys = list(self._finished)
        later = [each for each in keys[keys.index(key) :] if each == key or each not in self._taken]
        if acted := [each for each in later if self._finished[each].acted]:
            self._unknown = acted[0]
            raise UnknownOutcome(acted[0])
        for each in later:
            del self._finished[each]
        self.journal.put(
            Discarded(step=key, steps=tuple(later), reason="InputChanged"),
            *(StepRecord(each, "discarded") for each in later),
        )
        return None

    async def _run(self, step: "_OpenStep", do: Callable[[Emit], Awaitable[T]]) -> T:
        if step.repeat != "safe":
            self.journal.put(step.record("started"))
            await self.journal.stored()  # and with it what the steps before cost
        if step.repeat == "paid" and step.key in self._begun:
            metrics.REPEATED.labels(self.agent).inc()
        try:
            result = await do(step.emit)
            dumped = orjson.Fragment(orjson.dumps(result, option=PLAIN))
        except StoreUnavailable:
            self._lost(step)
            raise
        except Exception as error:
            if not isinstance(error, NothingDone):
                self._lost(step)
            self.journal.put(*step.rest(), step.record("failed", _error(error)))
            if isinstance(error, Problem | NothingDone):
                raise
            raise StepFailed(step.key, type(error).__name__, _message(error)) from error
        except BaseException:
            if step.never and self._unknown is None:
                self._unknown = step.key
            raise
        self.journal.put(*step.rest(), step.record("done", dumped))
        return result

    def _lost(self, step: "_OpenStep") -> None:
        if step.never:
            self._unknown = step.key
            raise UnknownOutcome(step.key)

    def _close(self, step: "_OpenStep") -> None:
        step.closed = True
        del self._open[step.key]
        if self._speaker == step.key:
            self._speaker = None
        if not self._open:
            self._all_closed.set()

    def emit(self, step: "_OpenStep", event: Event) -> None:
        """Write an event of an open step, or hold it back while another step speaks."""
        if isinstance(event, Delta) and self._speaker is None and not step.held:
            self._speaker = step.key
        if self._speaker != step.key and isinstance(event, Delta | MessageEnd):
            step.held.append(event)
            return
        if isinstance(event, Discarded) and step.key in event.steps:
            step.held.clear()
        self.journal.put(event)


@dataclass
class _OpenStep:
    """A step that is run now."""

    run: StepRun
    key: str
    repeat: Repeat
    digest: str | None
    held: list[Event] = field(default_factory=list)
    """Text that waits for the end of the step, since another one speaks."""
    closed: bool = False

    @property
    def never(self) -> bool:
        """Whether it must not be run a second time."""
        return self.repeat == "never"

    def emit(self, event: Event) -> None:
        """See `Emit`."""
        if self.closed:
            raise RuntimeError(f"the step {self.key!r} is over: it emits nothing any more")
        if not isinstance(event, StepEvent) or isinstance(event, InputRequired | InputGiven):
            raise RuntimeError(f"{event.type} is no event of a step: return it, or ask with run.ask")
        self.run.emit(self, event.model_copy(update={"step": self.key}))

    def record(self, state: Any, value: Any = None) -> StepRecord:
        """What is known of the step now."""
        return StepRecord(self.key, state, self.never, self.digest, value)

    def rest(self) -> list[Event]:
        """What was held back: one piece of text for each message and channel."""
        rest: list[Event] = []
        for event in self.held:
            last = rest[-1] if rest else None
            if isinstance(event, Delta) and isinstance(last, Delta) and _joins(last, event):
                rest[-1] = last.model_copy(update={"text": last.text + event.text})
            else:
                rest.append(event)
        return rest


def _joins(one: Delta, other: Delta) -> bool:
    cited = one.citation or other.citation
    return not cited and (one.message, one.channel) == (other.message, other.channel)


def _message(error: Exception) -> str:
    return str(error)[:MESSAGE_CHARACTERS].encode(errors="replace").decode()


def _error(error: Exception) -> dict[str, str]:
    if isinstance(error, Problem):
        return {"kind": "Problem", "reason": error.reason.value, "message": error.detail}
    return {"kind": type(error).__name__, "message": _message(error)}


def _outcome(record: StepRecord) -> Any:
    """The result of a step of a former attempt.

    Raises:
        Exception: what the step raised.
    """
    if record.state == "done":
        return record.value
    match record.value:
        case {"kind": "Problem", "reason": reason, "message": message}:
            raise Problem(Reason(reason), message)
        case {"kind": "NothingDone", "message": message}:
            raise NothingDone(message)
        case {"kind": kind, "message": message}:
            raise StepFailed(record.key, kind, message)
    raise RuntimeError(f"the record of the step {record.key!r} cannot be read")
