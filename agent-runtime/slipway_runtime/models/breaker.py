"""A circuit breaker: a provider that keeps failing is left alone for a while, so that no request waits for it."""

import time
from collections import deque
from collections.abc import Callable

from prometheus_client import Gauge

OPEN = Gauge(
    "slipway_model_circuit_open", "1 while a provider is left alone because it failed.", ["provider", "base_url"]
)

FAILURES = 5
WINDOW_SECONDS = 30.0
OPEN_SECONDS = 15.0


class CircuitBreaker:
    """Opens after so many failures within the window; after a pause lets one request through as a probe.

    A success closes it and forgets failures. One breaker is shared by all models of a provider at one address.
    """

    def __init__(
        self,
        provider: str,
        base_url: str,
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
        self._gauge = OPEN.labels(provider, base_url)
        self._gauge.set(0)

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
        """The provider answered, if only to reject the request."""
        self._failed.clear()
        self._set(None)

    def failed(self) -> None:
        """The provider failed."""
        now = self._clock()
        self._failed.append(now)
        full = len(self._failed) == self._limit and now - self._failed[0] <= self._window
        if self._probing or (self._opened is None and full):
            self._set(now)

    def abandoned(self) -> None:
        """The request was cancelled: nothing is known about the provider."""
        self._probing = False

    def _set(self, opened: float | None) -> None:
        self._opened = opened
        self._probing = False
        self._gauge.set(0 if opened is None else 1)
