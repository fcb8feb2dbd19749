"""A provider that keeps failing is left alone, and tried again by one request."""

from contextlib import suppress

import pytest

from slipway_runtime.models.breaker import Breakers, CircuitBreaker
from slipway_runtime.problems import Problem
from tests.support.model_server import Asked, Reply, model_server
from tests.support.model_wire import Fault
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

        def breakers(_: str, url: str, model: str) -> CircuitBreaker:
            return shared if url == bad.base_url and not model else CircuitBreaker("openai-compatible", url, model)

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


@pytest.mark.parametrize(
    ("fault", "asked"),
    [
        ("rate_limited", ["busy", "busy", "other"]),
        ("overloaded", ["busy", "busy", "other"]),
        ("server_error", ["busy"] * 2),
    ],
)
async def test_the_limit_of_a_model_keeps_no_other_model_of_its_provider_from_being_asked(
    fault: Fault, asked: list[str]
) -> None:
    """An error of the server is the provider's, and keeps all of its models from being asked."""
    made: dict[tuple[str, ...], CircuitBreaker] = {}

    def breakers(*key: str) -> CircuitBreaker:
        return made.setdefault(key, CircuitBreaker(*key, failures=2))

    def reply(asked: Asked) -> Reply:
        return Reply(fault=fault) if asked.body["model"] == "busy" else Reply("Hello.")

    with model_server(reply) as server:
        busy = make_models(entry(server, model="busy"), breaker=breakers)
        other = make_models(entry(server, model="other"), breaker=breakers)
        for models in (busy, busy, busy, other):
            with suppress(Problem):
                await ask(models)
        assert [each.body["model"] for each in server.requests] == asked


def test_a_refused_model_leaves_the_probe_of_its_provider_to_others(clock: Clock, breaker: CircuitBreaker) -> None:
    model = CircuitBreaker("openai", "https://test", "busy", failures=1, pause=100, clock=clock)
    both = Breakers(breaker, model)
    both.failed(model_only=True)
    fail(breaker, 3)
    clock.now = 5
    assert not both.allow()
    assert breaker.allow(), "no other request probes"
