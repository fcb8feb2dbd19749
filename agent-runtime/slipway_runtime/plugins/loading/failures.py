"""Why a plugin's code does not do what it is there for."""

MESSAGE_CHARACTERS = 300
"""Of what foreign code says that are repeated."""


class PluginBroken(Exception):
    """The code cannot be loaded. The text says why, and what to do."""


class PluginCallFailed(Exception):
    """One call ended without a result; the next one may have one.

    `kind` is a stable word for what it ended with: Raised, TimedOut, OutOfFuel, OutOfMemory, Trapped, NotAllowed or
    InvalidResult.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message


def told(error: BaseException) -> str:
    """Class and message of an error of foreign code, in one line."""
    said = " ".join(str(error).split())[:MESSAGE_CHARACTERS]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
