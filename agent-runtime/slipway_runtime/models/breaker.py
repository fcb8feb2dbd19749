"""A circuit breaker: a provider that keeps failing is left alone for a while, so that no request waits for it.

Limits and overload are a model's own, so they open a breaker of that model, and other models of the provider are asked.
"""

from dataclasses import dataclass
from typing import Any

from prometheus_client import Gauge

from slipway_runtime.circuit import Circuit

OPEN = Gauge(
    "slipway_model_circuit_open",
    "1 while a provider, or one model of it, is left alone because it failed.",
    ["provider", "base_url", "model"],
)


class CircuitBreaker(Circuit):
    """A circuit that a metric shows.

    Args:
        provider: of the models that share it.
        base_url: their address.
        model: the only one that it is for; empty for all models of the provider at the address.
        timing: see `Circuit`.
    """

    def __init__(self, provider: str, base_url: str, model: str = "", **timing: Any) -> None:
        super().__init__(**timing)
        self._gauge = OPEN.labels(provider, base_url, model)
        self._gauge.set(0)

    def _set(self, opened: float | None) -> None:
        super()._set(opened)
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
