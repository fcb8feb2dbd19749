"""What a caller learns about a model request while it is made: text that became void, and what each model used.

A chain reports to the watcher of the current context, which the step that makes the request sets:

    with watching(Watcher()):
        ...

Without one nothing is reported, and the chain works all the same.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from slipway_runtime.events import Discarded, ModelUsage, Usage
from slipway_runtime.run import Emit


class Watcher(Protocol):
    """Both methods are called from within the request, and must not wait."""

    def discarded(self, reason: str) -> None:
        """All events of this request so far are void: another model begins the answer anew."""
        ...

    def used(self, usage: ModelUsage) -> None:
        """A model was asked: once for each, also if it failed, refused or was cancelled."""
        ...


class StepWatcher:
    """Emits what a step learns about the models that it asks.

    Args:
        emit: writes events of the step.
        step: the step's key.
    """

    def __init__(self, emit: Emit, step: str) -> None:
        self.emit = emit
        self.step = step
        self.usages: list[ModelUsage] = []

    def discarded(self, reason: str) -> None:
        """See `Watcher`."""
        self.emit(Discarded(steps=(self.step,), reason=reason))

    def used(self, usage: ModelUsage) -> None:
        """See `Watcher`."""
        self.usages.append(usage)

    def report(self) -> None:
        """Emit what was used, by models that failed as well."""
        if self.usages:
            self.emit(Usage(models=tuple(self.usages)))


class _Nobody:
    def discarded(self, reason: str) -> None:
        """Nobody is shown the text."""

    def used(self, usage: ModelUsage) -> None:
        """Nobody counts."""


_NOBODY = _Nobody()
_CURRENT: ContextVar[Watcher | None] = ContextVar("slipway_model_watcher", default=None)


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Report to a watcher the model requests that are made in the block."""
    token = _CURRENT.set(watcher)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def watcher() -> Watcher:
    """The watcher of the current context."""
    return _CURRENT.get() or _NOBODY
