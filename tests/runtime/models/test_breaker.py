"""A provider that keeps failing is left alone, and tried again by one request."""

import pytest

from slipway_runtime.models.breaker import CircuitBreaker
from tests.support.model_server import Reply, model_server
from tests.support.models import ask, entry, make_models


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker("openai", "https://test", failures=3, window=10, pause=5, clock=clock)


def fail(breaker: CircuitBreaker, times: int) -> None:
    for _ in range(times):
        assert breaker.allow()
        breaker.failed()


def test_it_opens_after_so_many_failures_in_the_window(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, 2)
    assert breaker.allow()
    clock.now = 11
    breaker.failed()
    assert not breaker.is_open, "the first two are too long ago"
    fail(breaker, 2)
    assert not breaker.allow()


def test_a_success_forgets_failures(breaker: CircuitBreaker) -> None:
    fail(breaker, 2)
    breaker.succeeded()
    fail(breaker, 2)
    assert not breaker.is_open


@pytest.mark.parametrize("end", ["succeeded", "failed", "abandoned"])
def test_one_probe_at_a_time_decides(breaker: CircuitBreaker, clock: Clock, end: str) -> None:
    fail(breaker, 3)
    clock.now = 5
    assert breaker.allow()
    assert not breaker.allow(), "a second request does not probe as well"
    getattr(breaker, end)()
    assert breaker.is_open == (end != "succeeded")
    assert breaker.allow() == (end != "failed"), "a failed probe begins another pause, a cancelled one says nothing"


async def test_a_broken_provider_is_not_asked_by_any_agent() -> None:
    shared = CircuitBreaker("openai-compatible", "test", failures=2)
    with model_server(Reply(fault="server_error")) as bad, model_server("Good.") as good:

        def breakers(_: str, url: str) -> CircuitBreaker:
            return shared if url == bad.base_url else CircuitBreaker("openai-compatible", url)

        one, two = (make_models(entry(bad), entry(good, name="second"), breaker=breakers) for _ in "12")
        for models in (one, two, one, two):
            result, _ = await ask(models)
            assert result.output == "Good."
        assert len(bad.requests) == 2


@pytest.mark.parametrize("fault", ["refused_key", "unknown_model", "refusal"])
async def test_a_rejected_request_is_no_failure_of_the_provider(fault: str) -> None:
    shared = CircuitBreaker("openai-compatible", "test", failures=1)
    with model_server(Reply("No.", fault=fault)) as bad, model_server("Good.") as good:  # type: ignore[arg-type]
        entries = entry(bad), entry(good, name="second")
        await ask(make_models(*entries, breaker=lambda *_: shared))
    assert not shared.is_open
