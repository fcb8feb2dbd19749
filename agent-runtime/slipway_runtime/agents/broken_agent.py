"""A substitute for an agent that could not be made. It imports no framework."""

from slipway_runtime.events import Done
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.run import Run


class BrokenAgent:
    """Stands for code that gives no agent: never ready, and it says why."""

    honours: frozenset[str] = frozenset()

    def __init__(self, why: str) -> None:
        self.why = why

    async def run(self, _: Run) -> Done:
        """Raises Problem (InternalError)."""
        raise Problem(Reason.INTERNAL_ERROR, f"The agent cannot be asked: {self.why}.")

    async def missing(self) -> list[str]:
        """See `Agent`."""
        return [self.why]
