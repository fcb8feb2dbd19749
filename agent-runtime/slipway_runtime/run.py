"""One attempt at a run, as an agent sees it: what is asked, and steps.

An agent may be run several times for one question: when its host dies, another one runs it again from its start. What
must not be done twice, or come out differently, is a step (`Run.step`): its result is stored together with its events,
and later attempts get the result without running it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from slipway_runtime.events import Event, InputKind, InputRequired
from slipway_runtime.protocols.ask import Ask, ClientTool, Message, Part
from slipway_runtime.store.inputs import InputAnswer
from slipway_runtime.store.sessions import FinishedTurn, Summary

DAY = 86_400.0
NO_SUMMARY = Summary()
T = TypeVar("T")
Emit = Callable[[Event], None]
"""Writes an event of a step. The host numbers it, names its step and stores it before clients see it."""
Repeat = Literal["safe", "paid", "never"]
"""What it means to run a step a second time, because its host died before its result was stored.

`safe`: nothing. `paid`: it costs money, so its start is recorded, and a repetition is counted. `never`: it
must not happen.
"""


class Waiting(BaseException):
    """The run waits for an input; the agent is run again once it is given.

    No `Exception`, so that nothing on the way to the host takes it for a failure.
    """

    def __init__(self, required: InputRequired) -> None:
        super().__init__(required.id)
        self.required = required


class UnknownOutcome(BaseException):
    """A `never` step began and nobody knows what it did. It ends the run, whatever the agent makes of it."""

    def __init__(self, step: str) -> None:
        super().__init__(step)
        self.step = step


class NothingDone(Exception):
    """Raised by a `never` step that certainly did nothing, so that the run may go on."""


class StepFailed(Exception):
    """A step raised. This is raised in its place, in every attempt alike, so that an agent may catch it.

    `Problem` and `NothingDone` are raised as they are.
    """

    def __init__(self, step: str, kind: str, message: str) -> None:
        super().__init__(f"{step}: {kind}: {message}")
        self.step = step
        self.kind = kind
        """The name of the exception's class."""
        self.message = message


@dataclass(frozen=True)
class AgentRequest:
    """One question, and all that came with it."""

    question: str
    parts: tuple[Part, ...] = ()
    """The question as it came: texts, images, files, data."""
    context: Mapping[str, Any] | None = None
    """An object that the caller gave along: data, never instructions."""
    history: tuple[Message, ...] = ()
    """Messages before this one, where the client keeps the conversation."""
    turns: tuple[FinishedTurn, ...] = ()
    """Former turns of the session, oldest first. Loaded for agents that honour `turns`."""
    summary: Summary = NO_SUMMARY
    """Stands for the turns before `turns`."""
    continuation: tuple[Message, ...] = ()
    """Messages after this one (tool calls and their results), where a run goes on from messages alone."""
    client_tools: tuple[ClientTool, ...] = ()
    tool_choice: str | None = None
    output_schema: Mapping[str, Any] | None = None
    settings: Mapping[str, Any] | None = None
    force_agent: str | None = None
    metadata: Mapping[str, Any] | None = None
    task: str | None = None
    """What a front end asks for on its own behalf, such as `title`."""
    grant: str | None = None
    without_tools: frozenset[str] = frozenset()
    """See `Ask`."""

    @classmethod
    def of(cls, ask: Ask, turns: tuple[FinishedTurn, ...] = (), summary: Summary = NO_SUMMARY) -> "AgentRequest":
        """What an agent sees of an ask."""
        return cls(
            question=ask.text,
            parts=ask.parts,
            context=ask.data,
            history=ask.history or (),
            turns=turns,
            summary=summary,
            continuation=ask.continuation or (),
            client_tools=ask.client_tools or (),
            tool_choice=ask.tool_choice,
            output_schema=ask.output_schema,
            settings=ask.settings,
            force_agent=ask.force_agent,
            metadata=ask.metadata,
            task=ask.task,
            grant=ask.grant,
            without_tools=frozenset(ask.without_tools or ()),
        )


class Run(Protocol):
    """One attempt at a run, as an agent sees it. Made by hosts (`agents/steps.py`)."""

    @property
    def id(self) -> str:
        """The run's id, the same in every attempt."""
        ...

    @property
    def agent(self) -> str:
        """`namespace/name` of the agent."""
        ...

    @property
    def caller(self) -> str:
        """Who asks."""
        ...

    @property
    def session_id(self) -> str | None:
        """The conversation that the question belongs to."""
        ...

    @property
    def request(self) -> AgentRequest:
        """What is asked. `remember` changes what it has of former turns."""
        ...

    @property
    def notes(self) -> dict[str, Any]:
        """What code between agent and host counts in this attempt; empty when the attempt begins."""
        ...

    def time_left(self) -> float:
        """Seconds until the question's deadline."""
        ...

    async def step(
        self,
        key: str,
        do: Callable[[Emit], Awaitable[T]],
        *,
        repeat: Repeat = "safe",
        input: Any = None,  # noqa: A002
    ) -> T:
        """Run `do` and store its result with its events; in a later attempt, give the stored result and emit nothing.

        Args:
            key: names the step within the run, the same in every attempt and used once in each.
            do: gets a function that emits the step's events. Its result must be JSON; later attempts get it as JSON
                has it (lists for tuples).
            repeat: `never` for what must not be done twice. Its start is stored before it runs.
            input: JSON of what the result depends on. If it differs from what a stored result was made from, that
                result and all stored after it are discarded, and the step is run.

        Raises:
            StepFailed: if the step raised, now or in the attempt that ran it.
            Problem, NothingDone: likewise; these are raised as they are.
            UnknownOutcome: if a `never` step raised anything but `NothingDone`, or would have to be run again.
            Waiting: if the run waits for an input by now.
        """
        ...

    async def remember(self, summary: Summary) -> None:
        """Keep a summary, which a step made, with the session. The request has it from now on, in place of its turns.

        A store that is unavailable is no failure: the next question makes the summary anew.
        """
        ...

    async def ask(
        self,
        id: str,  # noqa: A002 (it is the event's word)
        kind: InputKind,
        *,
        prompt: str | None = None,
        answer_schema: Mapping[str, Any] | None = None,
        calls: Sequence[Mapping[str, Any]] | None = None,
        answerers: Sequence[str] = ("caller",),
        seconds: float = DAY,
    ) -> InputAnswer:
        """What somebody says to this: a step that the answer finishes. Not to be called inside a step.

        Args:
            id: names the input within the run, the same in every attempt.
            answerers: who may answer: `caller`, or `group:NAME`.
            seconds: how long to wait; an input that nobody gave until then counts as denied.

        Raises:
            Waiting: if nobody answered yet. It is raised when no step is open any more. The attempt ends; the agent is
                run again from its start once there is an answer.
        """
        ...
