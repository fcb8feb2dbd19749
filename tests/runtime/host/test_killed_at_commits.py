"""An agent with steps of every kind; its host dies at every commit in turn.

A second host then ends the run. Whatever the place: steps whose result is stored are not run again, what must not be
done twice is not, what a client has put together is what was recorded, and only a step that may have acted without
leaving a result makes the outcome unknown.
"""

import asyncio
import random
from collections.abc import Awaitable

import pytest

from slipway_runtime.events import Delta, Done, Failed, ToolCall, ToolResult
from slipway_runtime.problems import Reason
from slipway_runtime.run import Emit, Run, StepFailed
from tests.support.killing import Process, kill, said
from tests.support.scripts import Script, StartHost

COMMITS = 32
"""More than the run has: the last ones kill nobody."""
SAID = ("first", "left", "right", "last")
NEVER = ("act", "again")


def says(process: Process, run: Run, key: str) -> Awaitable[str]:
    """A step that says two words, others whenever it is run."""

    async def do(emit: Emit) -> str:
        await process.alive()
        process.ran[key] += 1
        words = [f"{key}{random.random()} " for _ in range(2)]
        for word in words:
            emit(Delta(text=word))
            await process.committed(run)
        return "".join(words)

    return run.step(key, do, input={"key": key})


def acts(process: Process, run: Run, key: str) -> Awaitable[float]:
    """A step that must not be repeated."""

    async def do(emit: Emit) -> float:
        emit(ToolCall(id=key, name=key, where="server"))
        await process.alive()
        process.ran[key] += 1
        result = random.random()
        await process.committed(run)
        emit(ToolResult(id=key, name=key, where="server"))
        return result

    return run.step(key, do, repeat="never")


async def fails(process: Process, run: Run) -> str:
    """A step that fails. Returns with what."""

    async def do(_: Emit) -> None:
        await process.alive()
        process.ran["fails"] += 1
        raise ValueError(random.random())

    try:
        await run.step("fails", do)
    except StepFailed as error:
        return error.message
    raise AssertionError


def stepping(process: Process) -> Script:
    """A script of steps, each of which says or does something else whenever it is run."""

    async def script(run: Run) -> Done:
        first = await says(process, run, "first")
        left, right = await asyncio.gather(says(process, run, "left"), says(process, run, "right"))
        acted = await acts(process, run, "act")
        approved = (await run.ask("go", "approval")).approved
        again, caught = await asyncio.gather(acts(process, run, "again"), fails(process, run))
        texts = {"first": first, "left": left, "right": right, "last": await says(process, run, "last")}
        output = {**texts, "done": [acted, again, caught], "approved": approved}
        return Done(answer="", finish="stop", sources=(), output=output)

    return script


async def killed_at(start_host: StartHost, dsn: str, monkeypatch: pytest.MonkeyPatch, *, at: int, after: bool) -> bool:
    """Kill the first host at a commit, and look at what came of it. Returns whether it was killed."""
    killed = await kill(start_host, dsn, monkeypatch, stepping, at=at, after=after)
    assert {key: killed.ran[key] for key in killed.finished} == {key: killed.ran_before[key] for key in killed.finished}
    assert all(killed.ran[key] <= 1 for key in NEVER)
    end = killed.events[-1].event
    if killed.unknown:
        assert isinstance(end, Failed)
        assert end.reason == Reason.UNKNOWN_OUTCOME
    else:
        assert isinstance(end, Done)
        assert end.output
        recorded = killed.after
        assert {key: end.output[key] for key in SAID} == said(killed.events)
        assert {key: end.output[key] for key in SAID} == {key: recorded[key].value for key in SAID}
        caught = recorded["fails"].value["message"]
        assert end.output["done"] == [recorded["act"].value, recorded["again"].value, caught]
        assert [each.event.type for each in killed.events].count("input_given") == 1
    return killed.died


@pytest.mark.parametrize(("at", "after"), [(2, True), (5, False), (9, True), (11, False), (12, True)])
async def test_a_host_dies_at_a_commit(
    start_host: StartHost, dsn: str, monkeypatch: pytest.MonkeyPatch, at: int, after: bool
) -> None:
    assert await killed_at(start_host, dsn, monkeypatch, at=at, after=after)


@pytest.mark.deep
@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
async def test_a_host_dies_at_every_commit(
    start_host: StartHost, dsn: str, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    killed = [await killed_at(start_host, dsn, monkeypatch, at=at, after=after) for at in range(1, COMMITS + 1)]
    assert killed[:14] == [True] * 14
    assert not killed[-1], "raise COMMITS: the run has more"
