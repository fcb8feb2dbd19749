"""An event stream is passed on in whole events, however its bytes arrive."""

import pytest

from slipway_runtime.gateway.relay import Events

STREAM = (
    b'id: r.1.1\nevent: started\ndata: {"type":"started"}\n\n'
    b": ping\n\n"
    b'id: r.1.2\nevent: delta\ndata: {"text":"id: r.9.9 event: done"}\n\n'
    b'id: r.1.3\nevent: done\ndata: {"type":"done"}\n\n'
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 1000])
def test_pieces_of_any_size_add_up_to_the_same_events(size: int) -> None:
    events = Events()
    passed = [events.feed(STREAM[at : at + size]) for at in range(0, len(STREAM), size)]
    assert b"".join(passed) == STREAM
    assert all(piece.endswith(b"\n\n") for piece in passed if piece)
    assert (events.last_id, events.finished) == ("r.1.3", True)


def test_half_an_event_is_not_passed_on_and_is_forgotten_with_its_pod() -> None:
    events = Events()
    whole = STREAM.index(b": ping")
    assert events.feed(STREAM[: whole + 30]) == STREAM[: whole + len(": ping\n\n")]
    events.forget_rest()
    assert events.last_id == "r.1.1"
    assert events.feed(b"id: r.2.1\nevent: restarted\ndata: {}\n\n") == b"id: r.2.1\nevent: restarted\ndata: {}\n\n"
    assert not events.finished


def test_words_inside_of_data_mean_nothing() -> None:
    events = Events()
    events.feed(b'id: r.1.2\nevent: delta\ndata: {"text":"id: r.9.9 event: done"}\n\n')
    assert (events.last_id, events.finished) == ("r.1.2", False)


@pytest.mark.parametrize("last", ["done", "failed", "cancelled"])
def test_three_events_end_a_stream(last: str) -> None:
    events = Events()
    events.feed(f"id: r.1.9\nevent: {last}\ndata: {{}}\n\n".encode())
    assert events.finished
