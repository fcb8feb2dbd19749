"""Streams of events from servers of plugins, in whatever pieces they come."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_runtime.plugins.event_streams import EVENT_BYTES, EventReader, TooLong, data_of

LINES = ["event: message", 'data: {"n": 1}', "", "", 'data: {"n":', "data: 2}", "", ": ping", "", 'data: {"n": 3}']
EVENTS = [b'event: message\ndata: {"n": 1}', b'data: {"n":\ndata: 2}', b": ping", b'data: {"n": 3}']


@given(st.sampled_from(["\n", "\r", "\r\n"]), st.lists(st.integers(0, 80), max_size=8))
def test_events_are_the_same_wherever_a_stream_is_cut(line_break: str, cuts: list[int]) -> None:
    text, reader = line_break.join(LINES).encode(), EventReader()
    places = [0, *sorted(cuts), len(text)]
    pieces = [text[begin:end] for begin, end in pairwise(places)]
    events = [event for piece in pieces for event in reader.feed(piece)] + reader.end()
    assert events == EVENTS
    assert [(data_of(event) or {}).get("n") for event in events] == [1, 2, None, 3]


@pytest.mark.parametrize("piece", [b"x" * 1024, b"x\n" * 1024], ids=["one line", "many lines"])
def test_an_event_is_read_up_to_four_mebibytes(piece: bytes) -> None:
    reader = EventReader()
    for _ in range(EVENT_BYTES // len(piece)):
        assert reader.feed(piece) == []
    with pytest.raises(TooLong, match="more than 4 MiB"):
        reader.feed(piece)
