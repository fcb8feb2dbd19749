"""Why a plugin's code does not do what it is there for."""

import traceback

MESSAGE_CHARACTERS = 300
"""Of what foreign code says that are repeated."""


class PluginBroken(Exception):
    """The code cannot be loaded. The text says why, and what to do."""


class PluginCallFailed(Exception):
    """One call ended without a result; the next one may have one.

    `kind` is a stable word for what it ended with: Raised, TimedOut, OutOfFuel, OutOfMemory, Trapped, NotAllowed,
    InvalidResult, or ToolFailed if the text is the plugin's own and meant for the caller. What foreign code raised is
    the cause. Its text is for no caller: it may quote what the code was given.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message


RAISED = "it raised an exception"


def for_callers(plugin: str, kind: str) -> str:
    """What a caller gets to know of a call that failed: nothing that the plugin said."""
    return f"the plugin {plugin} failed ({kind}): the log of its pod says more"


def raised_by(error: BaseException) -> str:
    """Class of an error of foreign code, and where it was raised: no word of its text."""
    frames = traceback.extract_tb(error.__traceback__)
    return type(error).__name__ + (f" in {frames[-1].filename}, line {frames[-1].lineno}" if frames else "")


def for_log(error: "PluginCallFailed") -> str:
    """Why a call failed, for a log: without the text of what foreign code raised."""
    cause = error.__cause__
    return f"{error.kind}: {error.message}" + (f" ({raised_by(cause)})" if cause is not None else "")


def told(error: BaseException) -> str:
    """Class and message of an error of foreign code, in one line."""
    said = " ".join(str(error).split())[:MESSAGE_CHARACTERS]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
