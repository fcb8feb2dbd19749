"""Events may grow: older readers pass on what newer writers say, and writers say no more than is meant."""

import pytest
from pydantic import ValidationError

from slipway_runtime.events import (
    MODELS,
    Delta,
    Done,
    Event,
    EventId,
    Failed,
    NumberedEvent,
    Started,
    Unknown,
    ends,
    read,
)
from slipway_runtime.protocols.sse import frame

HERE = EventId("a" * 32, 1, 1)
CITATION = {
    **{"index": "handbook", "source": "docs", "document": "a.md", "heading": "", "start": 0, "end": 2},
    **{"quote": "So", "score": 0.5},
}


def test_what_is_not_set_is_not_written() -> None:
    assert Started(agent="demo/a").to_json() == {"type": "started", "agent": "demo/a"}
    assert Delta(text="a", citation=None).to_json() == {"type": "delta", "text": "a"}
    assert Done(answer="a", finish="stop", sources=()).to_json() == {
        "type": "done",
        "answer": "a",
        "finish": "stop",
        "sources": [],
    }


def test_a_writer_cannot_make_fields_up() -> None:
    with pytest.raises(ValidationError):
        Started(agent="demo/a", mood="fine")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "json",
    [
        {"type": "started", "agent": "demo/a", "mood": "fine"},
        {"type": "delta", "text": "a", "citation": {**CITATION, "page": 3}, "step": "x"},
        {"type": "hologram", "depth": 3},
        {"type": "done", "sources": "another shape"},
    ],
)
def test_what_a_newer_version_wrote_goes_on_as_it_came(json: dict[str, object]) -> None:
    numbered = NumberedEvent.read(HERE, json)
    assert numbered.json == json
    assert frame(numbered).startswith(f"id: {HERE}\nevent: {json['type']}\ndata: ".encode())


def test_what_is_known_of_a_newer_event_is_read() -> None:
    assert read({"type": "started", "agent": "demo/a", "mood": "fine"}) == Started(agent="demo/a")
    delta = read({"type": "delta", "text": "a", "citation": {**CITATION, "page": 3}})
    assert isinstance(delta, Delta)
    assert delta.citation is not None
    assert delta.citation.quote == "So"
    assert read({"type": "hologram", "depth": 3}) == Unknown(type="hologram")


def test_a_run_ends_by_three_types_and_by_no_other() -> None:
    assert {kind for kind in MODELS if ends(Unknown(type=kind))} == {"done", "failed", "cancelled"}
    assert ends(read({"type": "done", "sources": "another shape"}))
    assert not ends(read({"type": "finished"}))


@pytest.mark.parametrize("event", [Failed(reason="A", message="b"), Started(agent="demo/a", session_id="1")])
def test_an_event_is_read_as_it_was_written(event: Event) -> None:
    assert read(event.to_json()) == event
