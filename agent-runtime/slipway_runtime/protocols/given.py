"""What a client's request gives a run that waits, in protocols whose clients go on with a request of the same kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from slipway_runtime.events import InputRequired
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.asked import InputBody
from slipway_runtime.protocols.client_calls import calls_of, results, run_of
from slipway_runtime.protocols.parameters import BadParameter

NAME_LENGTH = 100
"""Characters of an interrupt's name that an error repeats."""


class Given(Protocol):
    """The answer to an input."""

    @property
    def run(self) -> str:
        """The run that waits."""
        ...

    @property
    def body(self) -> InputBody:
        """What it gets."""
        ...

    @property
    def late(self) -> bool:
        """Whether the run is followed too if the input is not open any more. If not, another run is begun."""
        ...

    @property
    def lost(self) -> Problem | None:
        """The error if no run has asked for it; None if another run begins."""
        ...

    def answers(self, asked: InputRequired) -> bool:
        """Whether it is meant for this input. Raises BadParameter if it is, and a part of it is missing."""
        ...


@dataclass(frozen=True)
class GivenResults:
    """Results of client tools, by the ids of their calls."""

    run: str
    results: Mapping[str, str]
    late = False
    lost = None

    @property
    def body(self) -> InputBody:
        return InputBody(answer=results(self.results))

    def answers(self, asked: InputRequired) -> bool:
        calls = calls_of(asked)
        if not set(self.results) <= calls:
            return False
        if missing := sorted(calls - set(self.results)):
            raise BadParameter("messages", f"there is no result for {', '.join(missing)}: send one for each call")
        return True


@dataclass(frozen=True)
class InputAnswered:
    """An input by its id."""

    run: str
    input: str
    body: InputBody
    late = True

    @property
    def lost(self) -> Problem:
        return no_such_interrupt(f"{self.run}.{self.input}")

    def answers(self, asked: InputRequired) -> bool:
        return asked.id == self.input


def no_such_interrupt(name: str) -> Problem:
    """What a client asks to resume and nobody waits for."""
    return Problem(
        Reason.INPUT_NOT_FOUND,
        f"resume: you have no interrupt {name[:NAME_LENGTH]} with this agent, or its run is not kept any more. Send "
        "the interruptId of the last RUN_FINISHED, or leave resume out to ask a question.",
    )


def given_results(texts: Mapping[str, str]) -> GivenResults | None:
    """Results that all belong to one run; None if they name none, or several."""
    runs = {run_of(call) for call in texts}
    run = runs.pop() if len(runs) == 1 else None
    return GivenResults(run, texts) if run else None
