"""A circuit breaker: a provider that keeps failing is left alone for a while, so that no request waits for it.

Limits and overload are a model's own, so they open a breaker of that model, and other models of the provider are asked.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import Gauge

OPEN = Gauge(
    "slipway_model_circuit_open",
    "1 while a provider, or one model of it, is left alone because it failed.",
    ["provider", "base_url", "model"],
)

FAILURES = 5
WINDOW_SECONDS = 30.0
OPEN_SECONDS = 15.0


class CircuitBreaker:
    """Opens after so many failures within the window; after a pause lets one request through as a probe.

    A success closes it and forgets failures.

    Args:
        provider: of the models that share it.
        base_url: their address.
        model: the only one that it is for; empty for all models of the provider at the address.
    """

    def __init__(
        self,
        provider: str,
        base_url: str,
        model: str = "",
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
        self._gauge = OPEN.labels(provider, base_url, model)
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


@dataclass(frozen=True)
class Breakers:
    """What one model is asked through: the breaker of its provider, and its own."""

    provider: CircuitBreaker
    model: CircuitBreaker

    def allow(self) -> bool:
        """See CircuitBreaker."""
        if not self.provider.allow():
            return False
        if self.model.allow():
            return True
        self.provider.abandoned()
        return False

    def succeeded(self) -> None:
        """See CircuitBreaker."""
        self.provider.succeeded()
        self.model.succeeded()

    def failed(self, *, model_only: bool) -> None:
        """See CircuitBreaker. Nothing is learned about the other one."""
        broken, other = (self.model, self.provider) if model_only else (self.provider, self.model)
        broken.failed()
        other.abandoned()

    def abandoned(self) -> None:
        """See CircuitBreaker."""
        self.provider.abandoned()
        self.model.abandoned()
