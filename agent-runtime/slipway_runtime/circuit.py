"""A circuit breaker: a server that keeps failing is left alone for a while, so that no request waits for it."""

import time
from collections import deque
from collections.abc import Callable

FAILURES = 5
WINDOW_SECONDS = 30.0
OPEN_SECONDS = 15.0


class Circuit:
    """Opens after so many failures within the window; after a pause lets one request through as a probe.

    A success closes it and forgets failures.
    """

    def __init__(
        self,
        *,
        failures: int = FAILURES,
        window: float = WINDOW_SECONDS,
        pause: float = OPEN_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = failures
        self._window = window
        self._pause = pause
        self._clock = clock
        self._failed: deque[float] = deque(maxlen=failures)
        self._opened: float | None = None
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether requests are refused, a probe aside."""
        return self._opened is not None

    def allow(self) -> bool:
        """Whether a request may be made now. After True, `succeeded`, `failed` or `abandoned` must be called."""
        if self._opened is None:
            return True
        if self._probing or self._clock() - self._opened < self._pause:
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        """The server answered, if only to reject the request."""
        self._failed.clear()
        self._set(None)

    def failed(self) -> None:
        """The server failed."""
        now = self._clock()
        self._failed.append(now)
        full = len(self._failed) == self._limit and now - self._failed[0] <= self._window
        if self._probing or (self._opened is None and full):
            self._set(now)

    def abandoned(self) -> None:
        """Nothing is known about the server: the request was cancelled, or nobody took it."""
        self._probing = False

    def _set(self, opened: float | None) -> None:
        self._opened = opened
        self._probing = False
