"""The table of events in docs/http-api.md is what the chat skin does, row by row."""

import re
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
from slipway_runtime.protocols.chat import ChatAnswerBuilder
from slipway_runtime.protocols.sse import frame

PAGE = (Path(__file__).parents[3] / "docs" / "http-api.md").read_text()
ROWS = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$", PAGE[PAGE.index("| Event | Meaning |") :], re.MULTILINE))
RUN = "a" * 32
DONE = Done(answer="Yes.", finish="abstained", sources=())
USAGE = Usage(step="one", retrieval=RetrievalUsage(chunks=1, embedded_texts=1))
EXAMPLES: dict[str, Event] = {
    "started": Started(agent="demo/a", session_id="s"),
    "decision": read({"type": "decision", "step": "x", "decision": {"chosen_agent": "demo/b"}, "members": []}),
    "retrieved": read({"type": "retrieved", "step": "x", "chunks": 3, "best_score": 0.5}),
    "tool_call": read({"type": "tool_call", "step": "x", "id": "1", "name": "t", "where": "client", "args": {}}),
    "tool_result": read({"type": "tool_result", "step": "x", "id": "1", "name": "t", "where": "client"}),
    "delta": Delta(step="x", text="Yes."),
    "message_end": read({"type": "message_end", "step": "x", "message": "1"}),
    "artifact": read(
        {"type": "artifact", "step": "x", "id": "1", "name": "n", "media_type": "text/plain", "text": "t"}
    ),
    "progress": read({"type": "progress", "step": "x", "text": "half"}),
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
