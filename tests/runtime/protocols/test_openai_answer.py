"""A run's events as chunks and as a whole completion, also when text becomes void."""

from typing import Any

import orjson
import pytest

from slipway_runtime.events import (
    Cancelled,
    Citation,
    Delta,
    Discarded,
    Done,
    Event,
    EventId,
    Failed,
    InputGiven,
    InputRequired,
    ModelUsage,
    NumberedEvent,
    Progress,
    Restarted,
    RetrievalUsage,
    Started,
    Usage,
)
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols import openai_errors, sse
from slipway_runtime.protocols.client_calls import call_id
from slipway_runtime.protocols.openai_answer import Completion, CompletionStream, WholeCompletion

RUN = "0" * 32
SOURCE = Citation(index="handbook", source="docs", document="a.md", heading="", start=0, end=4, quote="Text", score=0.9)
START = Started(agent="demo/support")
USED = Usage(
    step="a",
    models=(ModelUsage(model="openai:m", requests=1, input_tokens=7, output_tokens=3),),
    retrieval=RetrievalUsage(chunks=2, embedded_texts=1),
)
DONE = Done(answer="One two", finish="stop", sources=(SOURCE,))
TEXT = (Delta(step="a", text="One "), Delta(step="a", text="two"))
CALLS = InputRequired(
    step="input/tools",
    id="tools",
    kind="client_tools",
    calls=({"id": call_id(RUN, 0), "name": "weather", "args": {"city": "Oslo"}},),
    answerers=("caller",),
    expires=1.0,
)
APPROVAL = InputRequired(
    step="input/go", id="go", kind="approval", prompt="Delete it?", answerers=("group:ops",), expires=1.0
)
Chunk = dict[str, Any]


def frames(*events: Event) -> bytes:
    return b"".join(sse.frame(NumberedEvent(EventId(RUN, 1, seq), event)) for seq, event in enumerate(events, 1))


def completion(*, structured: bool = False) -> Completion:
    return Completion(run_id=RUN, agent="demo/support", model="auto", structured=structured, created=5)


def stream(*events: Event, include_usage: bool = False, hold: bool = False, structured: bool = False) -> list[Chunk]:
    """The data of each frame, fed one event at a time; `{"done": True}` for `[DONE]`."""
    made = CompletionStream(completion(structured=structured), include_usage=include_usage, hold_text=hold)
    sent = b"".join(made.feed(frames(event)) for event in events)
    data = [frame.removeprefix(b"data: ") for frame in sent.split(b"\n\n") if frame]
    return [{"done": True} if each == b"[DONE]" else orjson.loads(each) for each in data]


def whole(*events: Event, structured: bool = False) -> Chunk:
    made = WholeCompletion(completion(structured=structured))
    made.feed(frames(*events))
    answer = made.answer()
    assert answer is not None
    assert answer.status == 200
    body: Chunk = orjson.loads(answer.body)
    return body


def content(chunks: list[Chunk]) -> str:
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk.get("choices", ()))


def test_chunks_begin_with_the_role_and_end_with_done() -> None:
    chunks = stream(START, *TEXT, USED, DONE)
    assert [chunk["choices"][0]["delta"] for chunk in chunks[:-1]] == [
        {"role": "assistant", "content": ""},
        {"content": "One "},
        {"content": "two"},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-1]] == [None, None, None, "stop"]
    assert chunks[-1] == {"done": True}
    head = {"id": f"chatcmpl-{RUN}", "object": "chat.completion.chunk", "created": 5, "model": "auto"}
    assert all(chunk.items() >= head.items() and "usage" not in chunk for chunk in chunks[:-1])
    assert chunks[-2]["slipway"] == {
        "run_id": RUN,
        "agent": "demo/support",
        "abstained": False,
        "sources": [SOURCE.model_dump()],
        "usage": {"retrieved_chunks": 2, "embedded_texts": 1, "models": [USED.models[0].to_json()]},  # type: ignore[index]
    }


def test_usage_is_a_last_chunk_without_choices() -> None:
    chunks = stream(START, *TEXT, USED, DONE, include_usage=True)
    assert chunks[-2]["choices"] == []
    assert chunks[-2]["usage"] == {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    assert all(chunk["usage"] is None for chunk in chunks[:-2])


def test_reasoning_has_a_field_of_its_own() -> None:
    chunks = stream(START, Delta(step="a", text="Hm", channel="reasoning"), DONE)
    assert chunks[1]["choices"][0]["delta"] == {"reasoning_content": "Hm"}
    assert content(chunks) == "One two"
    body = whole(START, Delta(step="a", text="Hm", channel="reasoning"), DONE)
    assert body["choices"][0]["message"]["reasoning_content"] == "Hm"


@pytest.mark.parametrize("void", [Restarted(attempt=2, discard=("a",)), Discarded(steps=("a",), reason="cut")])
def test_text_that_becomes_void_ends_the_stream_with_an_error(void: Event) -> None:
    chunks = stream(START, TEXT[0], void, START, *TEXT, DONE)
    assert chunks[-1]["error"]["code"] == "answer_restarted"
    assert len(chunks) == 3


def test_text_of_other_steps_may_become_void() -> None:
    chunks = stream(START, TEXT[0], Restarted(attempt=2, discard=("b",)), START, TEXT[1], DONE)
    assert content(chunks) == "One two"
    assert chunks[-1] == {"done": True}


def test_held_text_cannot_become_void() -> None:
    chunks = stream(START, TEXT[0], Restarted(attempt=2, discard=("a",)), START, *TEXT, DONE, hold=True)
    assert [chunk["choices"][0]["delta"] for chunk in chunks[1:-1]] == [{"content": "One two"}, {}]


def test_an_answer_without_deltas_comes_at_the_end() -> None:
    assert content(stream(START, DONE)) == "One two"


def test_a_structured_answer_is_json() -> None:
    done = DONE.model_copy(update={"output": {"x": 1}})
    assert content(stream(START, done, structured=True)) == '{"x":1}'
    assert whole(START, done, structured=True)["choices"][0]["message"]["content"] == '{"x":1}'
    assert whole(START, done)["choices"][0]["message"]["content"] == "One two"


def test_a_completion_has_all_at_once() -> None:
    body = whole(START, *TEXT, USED, DONE)
    assert body["object"] == "chat.completion"
    (choice,) = body["choices"]
    assert choice["message"] == {"role": "assistant", "refusal": None, "content": "One two"}
    assert choice["finish_reason"] == "stop"
    assert body["usage"] == {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    assert body["slipway"]["sources"] == [SOURCE.model_dump()]


@pytest.mark.parametrize(
    ("finish", "said"),
    [("length", "length"), ("content_filter", "content_filter"), ("abstained", "stop")],
)
def test_how_an_answer_ends(finish: str, said: str) -> None:
    done = Done.model_validate({**DONE.to_json(), "finish": finish})
    body = whole(START, done)
    assert body["choices"][0]["finish_reason"] == said
    assert body["slipway"]["abstained"] is (finish == "abstained")


def test_calls_of_the_clients_tools_end_the_answer() -> None:
    call = {
        "id": call_id(RUN, 0),
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city":"Oslo"}'},
    }
    chunks = stream(START, TEXT[0], CALLS)
    assert chunks[2]["choices"][0]["delta"] == {"tool_calls": [{"index": 0, **call}]}
    assert chunks[3]["choices"][0]["finish_reason"] == "tool_calls"
    assert chunks[-1] == {"done": True}
    (choice,) = whole(START, TEXT[0], CALLS)["choices"]
    assert (choice["message"]["tool_calls"], choice["message"]["content"]) == ([call], "One ")
    assert choice["finish_reason"] == "tool_calls"


def test_a_run_that_goes_on_after_calls_has_nothing_of_before() -> None:
    given = InputGiven(step="input/tools", id="tools", by="alice")
    chunks = stream(given, Restarted(attempt=2, discard=("a",)), START, Delta(step="b", text="Rain"), DONE)
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert content(chunks) == "Rain"


def test_an_approval_ends_the_answer_with_the_place_where_it_is_given() -> None:
    place = f"POST /agents/demo/support/runs/{RUN}/input/go"
    chunks = stream(START, TEXT[0], APPROVAL)
    assert content(chunks).startswith("One \n\nThis waits for an approval from group:ops: Delete it?")
    assert place in content(chunks)
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-2]["slipway"]["input_required"]["id"] == "go"
    body = whole(START, APPROVAL)
    assert place in body["choices"][0]["message"]["content"]
    assert body["slipway"]["input_required"]["kind"] == "approval"


def test_a_failure_has_no_done() -> None:
    chunks = stream(START, TEXT[0], Failed(reason="RequestTimeout", message="Too late."))
    assert chunks[-1] == {
        "error": {"message": "Too late.", "type": "server_error", "param": None, "code": "RequestTimeout"}
    }


def test_comments_are_passed_on_and_quiet_events_are_not() -> None:
    made = CompletionStream(completion(), include_usage=False, hold_text=False)
    assert made.feed(sse.PING) == sse.PING
    assert made.feed(frames(Progress(step="a", text="half"))) == b""


def test_a_stream_that_ended_too_early_is_no_answer() -> None:
    made = WholeCompletion(completion())
    made.feed(frames(START))
    assert made.answer() is None


@pytest.mark.parametrize(
    ("problem", "status", "repeat", "code"),
    [
        (Problem(Reason.INVALID_REQUEST, "x"), 400, False, "InvalidRequest"),
        (Problem(Reason.UNAUTHENTICATED, "x"), 401, False, "invalid_api_key"),
        (Problem(Reason.AGENT_NOT_FOUND, "x"), 404, False, "model_not_found"),
        (Problem(Reason.QUESTION_TOO_LARGE, "x"), 413, False, "QuestionTooLarge"),
        (Problem(Reason.OVERLOADED, "x"), 429, True, "Overloaded"),
        (Problem(Reason.NO_POD_READY, "x"), 503, True, "NoPodReady"),
        (openai_errors.failure(Cancelled(reason="ByCaller", message="x")), 400, False, "Cancelled"),
        (openai_errors.failure(Failed(reason="RequestTimeout", message="x")), 504, False, "RequestTimeout"),
        (openai_errors.failure(Failed(reason="UnknownOutcome", message="x")), 400, False, "UnknownOutcome"),
        (openai_errors.failure(Failed(reason="InternalError", message="x")), 500, False, "InternalError"),
        (openai_errors.failure(Failed(reason="IndexNotReady", message="x")), 503, True, "IndexNotReady"),
    ],
)
def test_what_may_be_repeated(problem: Problem, status: int, repeat: bool, code: str) -> None:
    answer = openai_errors.answer(problem)
    assert answer.status == status
    assert (answer.headers.get("x-should-retry") != "false") is repeat
    assert ("retry-after" in answer.headers) is repeat
    error = orjson.loads(answer.body)["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert error["code"] == code
