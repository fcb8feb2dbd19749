"""The chat skin: what each event becomes as JSON."""

from typing import Any

import orjson
import pytest

from slipway_runtime.events import (
    MODELS,
    Cancelled,
    Citation,
    Delta,
    Done,
    Event,
    EventId,
    Failed,
    InputGiven,
    InputRequired,
    ModelUsage,
    NumberedEvent,
    Restarted,
    RetrievalUsage,
    Retrieved,
    Started,
    Usage,
)
from slipway_runtime.problems import KINDS, Problem, Reason
from slipway_runtime.protocols.chat import LEFT_OUT, Chat, ChatAnswerBuilder, parse_request
from slipway_runtime.protocols.skin import Answer
from slipway_runtime.protocols.sse import frame

RUN = "a" * 32
QUOTE = Citation(
    index="handbook", source="docs", document="a.md", heading="A > B", start=3, end=9, quote="So it.", score=0.75
)
DONE = Done(answer="So it.", finish="stop", sources=(QUOTE,))


def answer_of(*events: Event) -> Answer | None:
    """What the skin makes of a run, whose events come in two pieces."""
    frames = [frame(NumberedEvent(EventId(RUN, 1, seq), event)) for seq, event in enumerate(events, start=1)]
    gathered = ChatAnswerBuilder(RUN)
    for piece in (b": ping\n\n".join(frames[:1]), b": ping\n\n".join(frames[1:])):
        gathered.feed(piece)
    return gathered.answer()


def body_of(*events: Event) -> dict[str, Any]:
    answer = answer_of(*events)
    assert answer is not None
    assert (answer.status, answer.headers) == (200, {"content-type": "application/json"})
    body: dict[str, Any] = orjson.loads(answer.body)
    return body


def test_the_answer_is_gathered_from_the_events() -> None:
    events = (
        Started(agent="demo/support", session_id="s1"),
        Retrieved(chunks=5, best_score=0.8),
        Delta(text="So it.", citation=QUOTE),
        Usage(retrieval=RetrievalUsage(chunks=5, embedded_texts=1)),
        DONE,
    )
    assert body_of(*events) == {
        "answer": "So it.",
        "abstained": False,
        "agent_used": "demo/support",
        "sources": [QUOTE.model_dump()],
        "grounded": None,
        "model": None,
        "session_id": "s1",
        "run_id": RUN,
        "usage": {"retrieved_chunks": 5, "embedded_texts": 1},
    }


def test_usage_is_summed_by_model() -> None:
    used = [("a", "0.10"), ("b", None), ("a", "0.02"), ("b", "1")]
    events = (
        Usage(models=(ModelUsage(model=model, requests=1, input_tokens=3, output_tokens=2, cost=cost),))
        for model, cost in used
    )
    assert body_of(*events, DONE)["usage"]["models"] == [
        {"model": "a", "requests": 2, "input_tokens": 6, "output_tokens": 4, "cost": "0.12"},
        {"model": "b", "requests": 2, "input_tokens": 6, "output_tokens": 4},
    ]


def test_what_came_before_a_restart_does_not_count() -> None:
    events = (
        Started(agent="demo/support", session_id="s1"),
        Usage(step="answer", retrieval=RetrievalUsage(chunks=5, embedded_texts=1)),
        Restarted(attempt=2, discard=("answer",)),
        Started(agent="demo/support", session_id="s1"),
        Usage(retrieval=RetrievalUsage(chunks=2, embedded_texts=1)),
        DONE,
    )
    assert body_of(*events)["usage"] == {"retrieved_chunks": 2, "embedded_texts": 1}


@pytest.mark.parametrize(
    ("last", "reason", "detail"),
    [
        (Failed(reason="IndexNotReady", message="Wait."), Reason.INDEX_NOT_READY, "Wait."),
        (Failed(reason="FromANewerVersion", message="Hm."), Reason.INTERNAL_ERROR, "Hm."),
        (Cancelled(reason="CancelledByCaller", message="You stopped it."), Reason.CANCELLED, "You stopped it."),
    ],
)
def test_a_run_without_an_answer_is_a_problem(last: Event, reason: Reason, detail: str) -> None:
    with pytest.raises(Problem) as raised:
        answer_of(Started(agent="demo/support", session_id="s1"), last)
    assert (raised.value.reason, raised.value.detail) == (reason, detail)


def test_events_that_break_off_are_no_answer_yet() -> None:
    assert answer_of(Started(agent="demo/support", session_id="s1")) is None


@pytest.mark.parametrize("data", [b"{", b"[]", b"7", b'"done"', b"{}\xff"])
def test_an_event_that_no_host_writes_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"no object|JSON|unexpected|UTF-8"):
        ChatAnswerBuilder(RUN).feed(b"id: %s.1.1\nevent: done\ndata: %s\n\n" % (RUN.encode(), data))


def test_a_run_that_waits_says_for_what_and_where() -> None:
    started = Started(agent="demo/support", session_id="s1")
    asked = InputRequired(step="x", id="ok", kind="approval", prompt="May I?", answerers=("caller",), expires=9.0)
    answer = answer_of(started, asked)
    assert answer is not None
    assert (answer.status, orjson.loads(answer.body)) == (
        202,
        {
            "state": "waiting",
            "input_required": {
                "id": "ok",
                "kind": "approval",
                "prompt": "May I?",
                "answerers": ["caller"],
                "expires": 9.0,
            },
            "answer_at": f"/agents/demo/support/runs/{RUN}/input/ok",
            "run_at": f"/agents/demo/support/runs/{RUN}",
            "agent_used": "demo/support",
            "session_id": "s1",
            "run_id": RUN,
        },
    )
    assert answer_of(started, asked, InputGiven(step="x", id="ok", by="alice")) is None


def test_a_question_is_asked_as_text_in_its_session() -> None:
    ask = Chat().parse(b'{"question": "Why?", "session_id": "s1"}', {})
    assert orjson.loads(ask.to_json()) == {"parts": [{"kind": "text", "text": "Why?"}], "session": "s1"}


def test_events_that_the_answer_leaves_out_are_known_events() -> None:
    assert MODELS.keys() > LEFT_OUT


def test_a_request_is_what_it_says() -> None:
    asked = parse_request('{"question": " Wie geht’s? 🚢 ", "session_id": "0b-1"}'.encode(), {})
    assert (asked.question, asked.session_id) == (" Wie geht’s? 🚢 ", "0b-1")


def test_a_question_may_have_8000_characters_of_any_size() -> None:
    assert len(parse_request(orjson.dumps({"question": "漢" * 20_000}), {}).question) == 20_000
    with pytest.raises(Problem, match="at most 32768 characters"):
        parse_request(orjson.dumps({"question": "x" * 32_769}), {})


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
