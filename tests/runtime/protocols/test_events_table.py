"""The table of events in docs/http-api.md is what the skins do, row by row."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from slipway_runtime.events import (
    MODELS,
    Cancelled,
    Delta,
    Discarded,
    Done,
    Event,
    EventId,
    Failed,
    NumberedEvent,
    Restarted,
    RetrievalUsage,
    Started,
    Usage,
    read,
)
from slipway_runtime.problems import Problem
from slipway_runtime.protocols import openai_errors
from slipway_runtime.protocols.chat import ChatAnswerBuilder
from slipway_runtime.protocols.openai_answer import Completion, CompletionStream, WholeCompletion
from slipway_runtime.protocols.sse import frame, read_frames

PAGE = (Path(__file__).parents[3] / "docs" / "http-api.md").read_text()
CELLS = re.findall(
    r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \| ([^|]+) \|$", PAGE[PAGE.index("| Event | Meaning |") :], re.MULTILINE
)
ROWS = {kind: cell for kind, cell, _ in CELLS}
OPENAI = {kind: cell for kind, _, cell in CELLS}
RUN = "a" * 32
DONE = Done(answer="Yes.", finish="abstained", sources=())
USAGE = Usage(step="one", retrieval=RetrievalUsage(chunks=1, embedded_texts=1))
EXAMPLES: dict[str, Event] = {
    "started": Started(agent="demo/a", session_id="s"),
    "decision": read({"type": "decision", "step": "x", "decision": {"chosen_agent": "demo/b"}, "members": []}),
    "retrieved": read({"type": "retrieved", "step": "x", "chunks": 3, "best_score": 0.5}),
    "tool_call": read({"type": "tool_call", "step": "x", "id": "1", "name": "t", "where": "client", "args": {}}),
    "tool_result": read({"type": "tool_result", "step": "x", "id": "1", "name": "t", "where": "client"}),
    "delta": Delta(step="x", text="Maybe."),
    "message_end": read({"type": "message_end", "step": "x", "message": "1"}),
    "artifact": read(
        {"type": "artifact", "step": "x", "id": "1", "name": "n", "media_type": "text/plain", "text": "t"}
    ),
    "progress": read({"type": "progress", "step": "x", "text": "half"}),
    "plugin_failed": read(
        {"type": "plugin_failed", "step": "x", "plugin": "pii", "stage": "after", "kind": "Raised", "message": "No."}
    ),
    "input_required": read(
        {"type": "input_required", "step": "x", "id": "1", "kind": "form", "answerers": ["caller"], "expires": 1.0}
    ),
    "input_given": read({"type": "input_given", "step": "x", "id": "1", "by": "alice"}),
    "discarded": Discarded(step="x", steps=("one",), reason="Refused"),
    "restarted": Restarted(attempt=2, discard=("one",)),
    "usage": USAGE,
    "done": DONE,
    "failed": Failed(reason="IndexNotReady", message="Wait."),
    "cancelled": Cancelled(reason="ByCaller", message="Stopped."),
}


def answer(*events: Event) -> dict[str, Any]:
    """The JSON answer of a run; the problem's reason where it has none."""

    gathered = ChatAnswerBuilder(RUN)
    for seq, event in enumerate(events, start=1):
        gathered.feed(frame(NumberedEvent(EventId(RUN, 1, seq), event)))
    try:
        made = gathered.answer()
    except Problem as problem:
        return {"problem": problem.reason.value}
    assert made is not None
    decoded: dict[str, Any] = orjson.loads(made.body)
    return decoded


def test_every_event_has_a_row_and_an_example() -> None:
    assert set(ROWS) == set(MODELS) == set(EXAMPLES)


@pytest.mark.parametrize("kind", [kind for kind in MODELS if kind not in ("done", "failed", "cancelled")])
def test_a_row_names_what_the_event_changes_in_the_json_answer(kind: str) -> None:
    before = [USAGE] if "removes" in ROWS[kind] else []
    without, given = answer(*before, DONE), answer(*before, EXAMPLES[kind], DONE)
    changed = {name for name, value in given.items() if value != without.get(name)}
    assert changed == (set() if ROWS[kind].startswith("left out") else set(re.findall(r"`(\w+)`", ROWS[kind])))


def test_the_rows_of_the_last_events() -> None:
    assert (answer(EXAMPLES["failed"]), ROWS["failed"]) == (
        {"problem": "IndexNotReady"},
        "an error with that reason",
    )
    assert (answer(EXAMPLES["cancelled"]), ROWS["cancelled"]) == (
        {"problem": "Cancelled"},
        "the error `Cancelled`",
    )
    given = answer(DONE)
    assert {name: given[name] for name in re.findall(r"`(\w+)`", ROWS["done"])} == {
        "answer": "Yes.",
        "abstained": True,
        "sources": [],
        "grounded": None,
        "model": None,
    }


@pytest.mark.parametrize("kind", MODELS)
def test_in_a_stream_every_event_is_as_it_is(kind: str) -> None:
    data = frame(NumberedEvent(EventId(RUN, 1, 1), EXAMPLES[kind])).decode().split("data: ")[1]
    assert read(orjson.loads(data)) == EXAMPLES[kind]


SAID = Delta(step="one", text="So")
MORE: dict[str, Event] = {
    "delta": Delta(step="x", text="Hm.", channel="reasoning"),
    "input_required": read(
        {
            "type": "input_required",
            "step": "x",
            "id": "1",
            "kind": "client_tools",
            "answerers": ["caller"],
            "expires": 1.0,
            "calls": [{"id": "c", "name": "t", "args": {}}],
        }
    ),
}
"""A second example, where the protocol has two ways for an event."""
FINISHED = Done(answer="Yes.", finish="stop", sources=(), grounded=True, model="openai:m")


def streamed(*events: Event) -> dict[str, Any]:
    """What a client of OpenAI's protocol has at the end of a stream."""
    completion = Completion(run_id=RUN, agent="demo/a", model="demo/a", created=0)
    renderer = CompletionStream(completion, include_usage=False, hold_text=False)
    found: dict[str, Any] = {}
    for seq, event in enumerate(events, start=1):
        for _, data in read_frames_of(renderer.feed(frame(NumberedEvent(EventId(RUN, 1, seq), event)))):
            if "error" in data:
                return {"error": data["error"]["code"]}
            (choice,) = data["choices"]
            for name, value in choice["delta"].items():
                found[name] = found.get(name, "") + value if isinstance(value, str) else value
            found |= {"finish_reason": choice["finish_reason"], **data.get("slipway", {})}
    return found


def completed(*events: Event) -> dict[str, Any]:
    """The same of a whole completion."""
    gathered = WholeCompletion(Completion(run_id=RUN, agent="demo/a", model="demo/a", created=0))
    for seq, event in enumerate(events, start=1):
        gathered.feed(frame(NumberedEvent(EventId(RUN, 1, seq), event)))
    try:
        made = gathered.answer()
    except Problem as problem:
        return {"error": openai_errors.error(problem)["code"]}
    assert made is not None
    body = orjson.loads(made.body)
    (choice,) = body["choices"]
    return {**choice["message"], "finish_reason": choice["finish_reason"], **body["slipway"]}


def read_frames_of(chunks: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """The chunks of a stream, without the mark at its end."""
    return ((kind, orjson.loads(data)) for kind, data in read_frames(chunks) if data != b"[DONE]")


def words(cell: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", cell)) - {"slipway"}


@pytest.mark.parametrize("kind", [kind for kind in MODELS if kind not in ("done", "failed", "cancelled")])
def test_a_row_names_what_the_event_changes_in_a_completion(kind: str) -> None:
    if OPENAI[kind].startswith("ends a stream"):
        assert streamed(SAID, EXAMPLES[kind], FINISHED) == {"error": "answer_restarted"}
        assert streamed(Delta(step="two", text="So"), EXAMPLES[kind], FINISHED).get("error") is None
        assert completed(SAID, EXAMPLES[kind], FINISHED) == completed(FINISHED)
        return
    changed: set[str] = set()
    for example in (EXAMPLES[kind], *([MORE[kind]] if kind in MORE else [])):
        for outcome in (streamed, completed):
            without, given = outcome(FINISHED), outcome(example, FINISHED)
            if kind == "input_required":  # nothing comes after it
                without, given = outcome(FINISHED), outcome(example)
                for name in words(OPENAI["done"]) - words(OPENAI[kind]):
                    without.pop(name, None)
                    given.pop(name, None)
            changed |= {name for name in {*given, *without} if given.get(name) != without.get(name)}
    assert changed == (set() if OPENAI[kind].startswith("left out") else words(OPENAI[kind]))


@pytest.mark.parametrize("outcome", [streamed, completed])
def test_the_rows_of_the_last_events_in_a_completion(outcome: Callable[..., dict[str, Any]]) -> None:
    given = outcome(FINISHED)
    assert {name: given[name] for name in words(OPENAI["done"])} == {
        "content": "Yes.",
        "finish_reason": "stop",
        "abstained": False,
        "sources": [],
        "grounded": True,
        "model": "openai:m",
    }
    assert (outcome(EXAMPLES["failed"]), OPENAI["failed"]) == (
        {"error": "IndexNotReady"},
        "an `error` with that reason",
    )
    assert (outcome(EXAMPLES["cancelled"]), OPENAI["cancelled"]) == ({"error": "Cancelled"}, "the `error` `Cancelled`")
