"""How a try of a step fails."""

MISSING_AGENT = "NoCapableAgent"
NOT_FITTING = "OutputDoesNotFit"


class TryFailed(Exception):
    """A try of a step gave nothing.

    Args:
        reason: a stable word in PascalCase.
        message: what is so and what to do.
        final: whether another try would fail in the same way.
        known: whether it is known that what was called has ended, so that another try may begin a call of its own.
        passing: whether it says nothing of the step, but that somebody on the way is not there for a moment.
    """

    def __init__(
        self, reason: str, message: str, *, final: bool = False, known: bool = True, passing: bool = False
    ) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
        self.final = final
        self.known = known
        self.passing = passing
