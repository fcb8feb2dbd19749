"""How a try of a step fails."""

MISSING_AGENT = "NoCapableAgent"
NOT_FITTING = "OutputDoesNotFit"


class TryFailed(Exception):
    """A try of a step gave nothing.

    Args:
        reason: a stable word in PascalCase.
        message: what is so and what to do.
        final: whether another try would fail in the same way.
        known: whether it is known what came of the call. It is over then.
        over: whether the call is over, so that another try begins one of its own; as `known` if not given. One that
            was cancelled is over, and nobody knows what came of it.
        passing: whether it says nothing of the step, but that somebody on the way is not there for a moment.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        final: bool = False,
        known: bool = True,
        over: bool | None = None,
        passing: bool = False,
    ) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
        self.final = final
        self.known = known
        self.over = known if over is None else over
        self.passing = passing
