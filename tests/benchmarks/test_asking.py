"""Asking many questions at a time."""

import asyncio

import pytest

from benchmarks.asking import ask_all
from benchmarks.figures import BenchmarkFailed


async def test_so_many_questions_and_never_more_at_a_time() -> None:
    asked: list[str] = []
    open_now, most = 0, 0

    async def ask(question: str) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        asked.append(question)
        await asyncio.sleep(0)
        open_now -= 1

    timing = await ask_all(ask, ["a", "b", "c"], count=10, in_flight=4)
    assert most == 4
    assert sorted(asked) == sorted("abcabcabca")
    assert len(timing.seconds) == 10
    assert timing.ms(50) <= timing.ms(95)
    assert timing.per_second == pytest.approx(10 / timing.wall)


async def test_a_question_that_fails_ends_the_run() -> None:
    async def ask(question: str) -> None:
        raise BenchmarkFailed(question)

    with pytest.raises(ExceptionGroup) as caught:
        await ask_all(ask, ["a"], count=3, in_flight=2)
    assert caught.group_contains(BenchmarkFailed, match="a")
