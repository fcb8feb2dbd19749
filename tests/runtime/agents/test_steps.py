"""Steps: run once, replayed silently, and what becomes of those that raise, ask, differ or were interrupted."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from slipway_runtime.agents.metrics import REPEATED
from slipway_runtime.agents.steps import MemoryJournal, StepRun
from slipway_runtime.events import Delta, Discarded, Done, Event, InputRequired, MessageEnd, Progress
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.run import AgentRequest, Emit, NothingDone, StepFailed, UnknownOutcome, Waiting
from slipway_runtime.store.database import StoreUnavailable
from slipway_runtime.store.inputs import InputAnswer
from slipway_runtime.store.steps import Replay, StepRecord
from tests.support.attempts import Attempts


def says(text: str, result: Any = None) -> Callable[[Emit], Any]:
    async def do(emit: Emit) -> Any:
        emit(Delta(text=text))
        return text if result is None else result

    return do


def fails(error: Exception) -> Callable[[Emit], Any]:
    async def do(_: Emit) -> Any:
        raise error

    return do


async def never_run(_: Emit) -> Any:
    raise AssertionError("it was finished before")


def texts(events: Iterable[Event]) -> list[tuple[str, str]]:
    return [(event.step, event.text) for event in events if isinstance(event, Delta)]


async def test_a_finished_step_gives_its_result_and_says_nothing() -> None:
    attempts = Attempts()
    run = attempts.start()
    assert await run.step("a", says("x", {"n": [1, 2.5, None, "\0"]})) == {"n": [1, 2.5, None, "\0"]}
    assert texts(attempts.journal.events) == [("a", "x")]
    run = attempts.start()
    assert await run.step("a", never_run) == {"n": [1, 2.5, None, "\0"]}
    assert attempts.journal.entries == []
    assert await run.step("b", says("y")) == "y"


@pytest.mark.parametrize("result", [object(), {1: "x"}, b"x", float, {"when": AgentRequest("?")}])
async def test_a_result_that_would_come_back_as_something_else_is_refused(result: object) -> None:
    with pytest.raises(StepFailed, match="TypeError"):
        await Attempts().start().step("a", says("x", result))


async def test_a_key_is_used_once() -> None:
    run = Attempts().start()
    await run.step("a", says("x"))
    with pytest.raises(RuntimeError, match="a key of its own"):
        await run.step("a", says("x"))


@pytest.mark.parametrize(
    ("error", "raised", "said"),
    [
        (ValueError("odd"), StepFailed, "a: ValueError: odd"),
        (Problem(Reason.INDEX_NOT_READY, "Wait."), Problem, "IndexNotReady: Wait."),
        (NothingDone("refused"), NothingDone, "refused"),
    ],
)
async def test_a_step_that_raises_raises_the_same_in_every_attempt(
    error: Exception, raised: type[Exception], said: str
) -> None:
    attempts = Attempts()
    for do in (fails(error), never_run):
        with pytest.raises(raised) as caught:
            await attempts.start().step("a", do)
        assert str(caught.value) == said


async def test_an_unavailable_store_is_no_outcome_of_a_step() -> None:
    attempts = Attempts()
    with pytest.raises(StoreUnavailable):
        await attempts.start().step("a", fails(StoreUnavailable("gone")))
    assert await attempts.start().step("a", says("x")) == "x"


async def test_what_must_not_be_repeated_is_started_in_the_store_before_it_runs() -> None:
    attempts = Attempts()
    run = attempts.start()

    async def do(_: Emit) -> int:
        assert attempts.journal.entries == [StepRecord("a", "started", never=True)]
        return 1

    assert await run.step("a", do, repeat="never") == 1
    assert await attempts.start().step("a", never_run, repeat="never") == 1
    assert attempts.left().unknown == ()


class SlowJournal(MemoryJournal):
    """A journal that stores when it is waited for, and not before."""

    stored_entries = 0

    async def stored(self) -> None:
        self.stored_entries = len(self.entries)


async def test_what_was_paid_is_stored_before_the_next_is_paid() -> None:
    journal = SlowJournal()
    run = StepRun(AgentRequest("?"), journal)

    async def do(_: Emit) -> int:
        assert journal.stored_entries == len(journal.entries), "a host that dies now loses this call alone"
        return 1

    for key in ("a", "b"):
        assert await run.step(key, do, repeat="paid") == 1


async def test_a_step_that_is_paid_again_is_known() -> None:
    attempts = Attempts()
    with pytest.raises(StoreUnavailable):
        await attempts.start().step("a", fails(StoreUnavailable()), repeat="paid")
    counted = REPEATED.labels("")._value.get()
    assert await attempts.start().step("a", says("x"), repeat="paid") == "x"
    assert await attempts.start().step("a", never_run, repeat="paid") == "x"
    assert attempts.left().unknown == ()
    assert REPEATED.labels("")._value.get() - counted == 1


@pytest.mark.parametrize("error", [ValueError(), StoreUnavailable(), Problem(Reason.INTERNAL_ERROR, "")])
async def test_what_must_not_be_repeated_and_raises_ends_the_run(error: Exception) -> None:
    attempts = Attempts()
    run = attempts.start()
    with pytest.raises(UnknownOutcome):
        await run.step("a", fails(error), repeat="never")
    for end in (run.check, lambda: asyncio.run(run.step("b", says("x")))):
        with pytest.raises(UnknownOutcome):
            await asyncio.to_thread(end)
    attempts.die()
    assert attempts.left().unknown == ("a",)


async def test_a_never_step_that_is_given_up_ends_the_run() -> None:
    run = Attempts().start()

    async def hangs(_: Emit) -> None:
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await run.step("a", hangs, repeat="never")
    with pytest.raises(UnknownOutcome):
        run.check()


async def test_a_refused_act_lets_the_run_go_on() -> None:
    attempts = Attempts()
    run = attempts.start()
    with pytest.raises(NothingDone):
        await run.step("a", fails(NothingDone("no")), repeat="never")
    run.check()
    attempts.die()
    assert attempts.left().unknown == ()
    assert attempts.left(fresh_from=2).unknown == ()


async def test_another_input_discards_the_step_and_all_after_it() -> None:
    attempts = Attempts()
    run = attempts.start()
    for key in "abc":
        await run.step(key, says(key), input={"b": 1, "a": 2})
    run = attempts.start()
    assert await run.step("a", never_run, input={"a": 2, "b": 1}) == "a"
    assert await run.step("b", says("B"), input={"a": 3}) == "B"
    discarded = attempts.journal.events[0]
    assert discarded == Discarded(step="b", steps=("b", "c"), reason="InputChanged")
    run = attempts.start()
    assert await run.step("b", never_run, input={"a": 3}) == "B"
    assert await run.step("c", says("C")) == "C", "what was discarded stays discarded"


async def test_another_input_before_an_act_ends_the_run() -> None:
    attempts = Attempts()
    run = attempts.start()
    await run.step("a", says("a"), input=1)
    await run.step("b", says("b"), repeat="never")
    run = attempts.start()
    with pytest.raises(UnknownOutcome):
        await run.step("a", says("a"), input=2)


async def test_interrupted_steps_are_void_and_finished_ones_stand() -> None:
    attempts = Attempts()
    run = attempts.start()
    await run.step("a", says("a"))
    with pytest.raises(StoreUnavailable):
        await run.step("b", fails(StoreUnavailable()))

    async def half(emit: Emit) -> None:
        emit(Delta(text="half"))
        await asyncio.Event().wait()

    task = asyncio.create_task(run.step("c", half))
    await asyncio.sleep(0)
    attempts.die()
    task.cancel()
    assert attempts.left().void == ("c",)
    assert list(attempts.left().finished) == ["a"]


async def test_another_revision_starts_afresh_unless_something_was_done() -> None:
    attempts = Attempts()
    await attempts.start().step("a", says("a"))
    attempts.die()
    assert attempts.left(fresh_from=2) == Replay(void=("a",))
    await attempts.start(fresh_from=2).step("a", says("A"))
    assert await attempts.start(fresh_from=2).step("a", never_run) == "A"
    await attempts.start().step("act", says("x"), repeat="never")
    attempts.die()
    assert attempts.left(fresh_from=attempts.attempt + 1).unknown == ("act",)


async def test_one_step_speaks_and_another_says_all_at_its_end() -> None:
    attempts = Attempts()
    run = attempts.start()
    turn = asyncio.Event()

    async def first(emit: Emit) -> None:
        emit(Delta(text="1"))
        await turn.wait()
        emit(Delta(text="2"))

    async def second(emit: Emit) -> None:
        emit(Progress(text="on its way"))
        emit(Delta(text="void"))
        emit(Discarded(steps=("second",), reason="cut"))
        for text in "ab":
            emit(Delta(text=text))
        emit(Delta(text="why", channel="reasoning"))
        emit(MessageEnd(message="m"))
        turn.set()
        await asyncio.sleep(0)

    await asyncio.gather(run.step("first", first), run.step("second", second))
    seen = [(event.to_json().get("step"), event.type, event.to_json().get("text")) for event in attempts.journal.events]
    assert seen == [
        ("first", "delta", "1"),
        ("second", "progress", "on its way"),
        ("second", "discarded", None),
        ("first", "delta", "2"),
        ("second", "delta", "ab"),
        ("second", "delta", "why"),
        ("second", "message_end", None),
    ]


async def test_a_step_emits_only_events_of_steps_and_only_while_it_runs() -> None:
    run = Attempts().start()
    kept: list[Emit] = []

    async def do(emit: Emit) -> None:
        kept.append(emit)
        with pytest.raises(RuntimeError, match="done"):
            emit(Done(answer="", finish="stop", sources=()))
        with pytest.raises(RuntimeError, match=r"run\.ask"):
            emit(InputRequired(id="a", kind="form", answerers=("caller",), expires=0.0))
        with pytest.raises(RuntimeError, match="outside of steps"):
            await run.ask("a", "approval")

    await run.step("a", do)
    with pytest.raises(RuntimeError, match="is over"):
        kept[0](Delta(text="late"))


async def test_asking_waits_until_no_step_is_open_and_none_begins() -> None:
    attempts = Attempts()
    run = attempts.start()
    open_, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: Emit) -> int:
        open_.set()
        await go_on.wait()
        return await run.step("inner", says("inner", 7))

    async def branch() -> None:
        await open_.wait()
        await run.step("late", never_run)

    acting, asking = asyncio.create_task(run.step("a", slow, repeat="never")), asyncio.create_task(run.ask("q", "form"))
    other = asyncio.create_task(branch())
    await open_.wait()
    for _ in range(3):
        await asyncio.sleep(0)
    assert not asking.done()
    assert not other.done()
    go_on.set()
    assert await acting == 7
    for task in (asking, other):
        with pytest.raises(Waiting) as waiting:
            await task
        assert waiting.value.required.id == "q"


async def test_an_answer_is_for_what_was_asked() -> None:
    attempts = Attempts()
    with pytest.raises(Waiting) as waiting:
        await attempts.start().ask("q", "approval", prompt="Delete 7?")
    attempts.journal.put(waiting.value.required)
    answers = {"q": InputAnswer(approved=True, answer=None, by="alice")}
    run = attempts.start(answers=answers)
    assert (await run.ask("q", "approval", prompt="Delete 7?")).approved
    with pytest.raises(RuntimeError, match="something else"):
        await run.ask("q", "approval", prompt="Delete 8?")
    assert attempts.left().void == (), "what was asked is never void"


async def test_what_an_input_is_called() -> None:
    with pytest.raises(ValueError, match="an input's id"):
        await Attempts().start().ask("a b", "approval")
