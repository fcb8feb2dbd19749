"""The chat skin: what each event becomes as JSON."""

from collections.abc import AsyncGenerator

import orjson
import pytest

from slipway_runtime.events import (
    Cancelled,
    Citation,
    Delta,
    Done,
    Event,
    EventId,
    Failed,
    NumberedEvent,
    Restarted,
    RetrievalUsage,
    Retrieved,
    Started,
    Usage,
)
from slipway_runtime.problems import KINDS, Problem, Reason
from slipway_runtime.protocols.chat import json_answer, parse_request

RUN = "a" * 32
QUOTE = Citation(
    index="handbook", source="docs", document="a.md", heading="A > B", start=3, end=9, quote="So it.", score=0.75
)
DONE = Done(answer="So it.", finish="stop", sources=(QUOTE,))


async def numbered(*events: Event) -> AsyncGenerator[NumberedEvent]:
    for seq, event in enumerate(events, start=1):
        yield NumberedEvent(EventId(RUN, 1, seq), event)


async def test_the_answer_is_gathered_from_the_events() -> None:
    events = numbered(
        Started(agent="demo/support", session_id="s1"),
        Retrieved(chunks=5, best_score=0.8),
        Delta(text="So it.", citation=QUOTE),
        Usage(retrieval=RetrievalUsage(chunks=5, embedded_texts=1)),
        DONE,
    )
    assert orjson.loads(await json_answer(RUN, events)) == {
        "answer": "So it.",
        "abstained": False,
        "agent_used": "demo/support",
        "sources": [QUOTE.model_dump()],
        "session_id": "s1",
        "run_id": RUN,
        "usage": {"retrieved_chunks": 5, "embedded_texts": 1},
    }


async def test_what_came_before_a_restart_does_not_count() -> None:
    events = numbered(
        Started(agent="demo/support", session_id="s1"),
        Usage(step="answer", retrieval=RetrievalUsage(chunks=5, embedded_texts=1)),
        Restarted(attempt=2, discard=("answer",)),
        Started(agent="demo/support", session_id="s1"),
        Usage(retrieval=RetrievalUsage(chunks=2, embedded_texts=1)),
        DONE,
    )
    assert orjson.loads(await json_answer(RUN, events))["usage"] == {"retrieved_chunks": 2, "embedded_texts": 1}


@pytest.mark.parametrize(
    ("last", "reason", "detail"),
    [
        (Failed(reason="IndexNotReady", message="Wait."), Reason.INDEX_NOT_READY, "Wait."),
        (Failed(reason="FromANewerVersion", message="Hm."), Reason.INTERNAL_ERROR, "Hm."),
        (Cancelled(reason="CancelledByCaller", message="You stopped it."), Reason.CANCELLED, "You stopped it."),
    ],
)
async def test_a_run_without_an_answer_is_a_problem(last: Event, reason: Reason, detail: str) -> None:
    with pytest.raises(Problem) as raised:
        await json_answer(RUN, numbered(Started(agent="demo/support", session_id="s1"), last))
    assert (raised.value.reason, raised.value.detail) == (reason, detail)


async def test_events_that_break_off_are_a_problem() -> None:
    with pytest.raises(Problem) as raised:
        await json_answer(RUN, numbered(Started(agent="demo/support", session_id="s1")))
    assert raised.value.reason is Reason.INTERNAL_ERROR


def test_a_request_is_what_it_says() -> None:
    asked = parse_request('{"question": " Wie geht’s? 🚢 ", "session_id": "0b-1"}'.encode(), {})
    assert (asked.question, asked.session_id) == (" Wie geht’s? 🚢 ", "0b-1")


def test_a_question_may_have_8000_characters_of_any_size() -> None:
    assert len(parse_request(orjson.dumps({"question": "漢" * 8000}), {}).question) == 8000
    with pytest.raises(Problem, match="at most 8000 characters"):
        parse_request(orjson.dumps({"question": "x" * 8001}), {})


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_makes_a_whole_problem(reason: Reason) -> None:
    problem = Problem(reason, "Do this.")
    body = orjson.loads(problem.body())
    assert body == {
        "type": f"urn:slipway:problem:{reason}",
        "title": KINDS[reason].title,
        "status": KINDS[reason].status,
        "detail": "Do this.",
        "reason": reason.value,
    }
    headers = problem.headers()
    assert headers["content-type"] == "application/problem+json"
    assert ("retry-after" in headers) == (problem.status in (429, 503))
    assert ("www-authenticate" in headers) == (problem.status == 401)
