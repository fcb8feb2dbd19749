"""Policies of the runtime: when another try is made, when not, and how long the pauses are."""

import pytest
from tenacity import wait_none

from slipway_runtime import retrying


class Flaky:
    """A step that fails so many times."""

    def __init__(self, failures: int, error: type[Exception] = ConnectionError) -> None:
        self.failures = failures
        self.error = error
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error(f"failure {self.calls}")
        return "done"


async def test_a_step_may_be_a_function_that_returns_an_awaitable() -> None:
    step = Flaky(1)
    assert await retrying.retry(lambda: step(), policy=wait_none(), on=refused) == "done"  # noqa: PLW0108 (is tested)


def refused(error: BaseException) -> bool:
    return isinstance(error, ConnectionError)


async def test_a_step_is_repeated_until_it_succeeds_and_each_failure_is_reported() -> None:
    step, failures = Flaky(3), list[str]()
    done = await retrying.retry(step, policy=wait_none(), on=refused, failed=lambda error: failures.append(str(error)))
    assert (done, step.calls, failures) == ("done", 4, ["failure 1", "failure 2", "failure 3"])


async def test_another_error_is_raised_at_once_and_not_reported() -> None:
    step, failures = Flaky(1, KeyError), list[BaseException]()
    with pytest.raises(KeyError):
        await retrying.retry(step, policy=wait_none(), on=refused, failed=failures.append)
    assert (step.calls, failures) == (1, [])


async def test_without_time_left_the_first_error_is_the_last_and_reported() -> None:
    step, failures = Flaky(1), list[str]()
    with pytest.raises(ConnectionError, match="failure 1"):
        await retrying.retry(
            step, policy=wait_none(), on=refused, seconds=0, failed=lambda error: failures.append(str(error))
        )
    assert (step.calls, failures) == (1, ["failure 1"])


@pytest.mark.parametrize(
    ("policy", "failures", "least", "most"),
    [
        ("INGESTION", 1, 0.5, 1.5),
        ("INGESTION", 100, 10, 10),
        ("COMMIT", 1, 0.15, 0.25),
        ("LOOK", 1, 0.3, 0.5),
        ("OPEN_STORE", 1, 0.7, 1.0),
        ("WATCH", 1, 0.1, 0.2),
        ("WATCH", 5000, 0.1, 10),
        ("POD", 1, 0.25, 0.25),
        ("REFUSED", 1, 0.7, 1.0),
    ],
)
def test_pauses_stay_within_what_the_policy_says(policy: str, failures: int, least: float, most: float) -> None:
    pauses = [retrying.delay(getattr(retrying, policy), failures) for _ in range(500)]
    assert least <= min(pauses)
    assert max(pauses) <= most
