"""Policies of the operator."""

import pytest
from tenacity import wait_none

from slipway_operator.core import retrying


async def test_a_step_is_repeated_until_it_succeeds_and_each_failure_is_reported() -> None:
    failures = list[str]()

    async def step() -> str:
        if len(failures) < 2:
            raise ConnectionError(f"failure {len(failures) + 1}")
        return "done"

    done = await retrying.retry(
        step, policy=wait_none(), on=ConnectionError, failed=lambda error: failures.append(str(error))
    )
    assert (done, failures) == ("done", ["failure 1", "failure 2"])


async def test_another_error_is_raised_at_once() -> None:
    async def step() -> None:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        await retrying.retry(step, policy=wait_none(), on=ConnectionError, failed=lambda error: None)


@pytest.mark.parametrize(
    ("policy", "failures", "least", "most"),
    [
        ("RECONCILE", 1, 0.4, 0.6),
        ("RECONCILE", 4, 3.2, 4.8),
        ("RECONCILE", 5000, 48, 72),
        ("LEASE", 1, 1, 1),
        ("WATCH", 1, 1, 1),
        ("STORE", 1, 5, 5),
        ("DELETED_NAMESPACES", 1, 10, 10),
    ],
)
def test_pauses_stay_within_what_the_policy_says(policy: str, failures: int, least: float, most: float) -> None:
    pauses = [retrying.delay(getattr(retrying, policy), failures) for _ in range(500)]
    assert least <= min(pauses)
    assert max(pauses) <= most
