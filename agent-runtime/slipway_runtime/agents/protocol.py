"""What an agent is to a host: something that turns a question into events."""

import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from slipway_runtime.events import Event, InputKind, InputRequired
from slipway_runtime.store.inputs import InputAnswer, step_of

INPUT_ID = re.compile("[0-9A-Za-z._-]{1,64}")
DAY = 86_400.0


class Waiting(BaseException):
    """The run waits for an input; the agent is run again once it is given.

    No `Exception`, so that nothing on the way to the host takes it for a failure.
    """

    def __init__(self, required: InputRequired) -> None:
        super().__init__(required.id)
        self.required = required


@dataclass(frozen=True)
class AgentRequest:
    """One question."""

    question: str
    answers: Mapping[str, InputAnswer] = field(default_factory=dict)
    """Inputs that were given in earlier attempts, by their id."""
    context: Mapping[str, Any] | None = None
    """An object that the caller gave along: data, never instructions."""

    def ask(
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
        """What somebody says to this, if it was said already.

        Args:
            id: names the input within the run, the same in every attempt.
            answerers: who may answer: `caller`, or `group:NAME`.
            seconds: how long to wait; an input that nobody gave until then counts as denied.

        Raises:
            Waiting: if it was not. The attempt ends, the agent is run again from its start with the answer.
        """
        if not INPUT_ID.fullmatch(id):
            raise ValueError(f"an input's id is 1 to 64 letters, digits, dots, hyphens or underscores, not {id!r}")
        if (answer := self.answers.get(id)) is not None:
            return answer
        set_fields = {"prompt": prompt, "answer_schema": answer_schema, "calls": calls and tuple(calls)}
        raise Waiting(
            InputRequired(
                step=step_of(id),
                id=id,
                kind=kind,
                answerers=tuple(answerers),
                expires=time.time() + seconds,
                **{name: value for name, value in set_fields.items() if value is not None},
            )
        )


class Agent(Protocol):
    """An agent yields `Retrieved`, `Delta`..., `Usage` and at the end `Done`; it raises for what it cannot handle.

    The host adds `Started`, numbers and commits the events, and turns an exception into `Failed`. An agent that needs
    an answer calls `request.ask`.
    """

    def run(self, request: AgentRequest) -> AsyncIterator[Event]:
        """Answer one question."""
        ...

    async def missing(self) -> list[str]:
        """What is not there yet for this agent to answer, each as a sentence for `/readyz`; empty when ready."""
        ...


@runtime_checkable
class UsesModels(Protocol):
    """An agent that calls models."""

    async def model_problems(self) -> list[str]:
        """A sentence with what to do for each entry of its `models` that cannot be used now.

        That is a key that is missing or refused, or a model that does not exist; a provider that fails now and then is
        none.
        """
        ...
