"""An event stream is passed on in whole events, however its bytes arrive."""

import pytest

from slipway_runtime.gateway.events import EVENT_BYTES, OWN_BYTES, SHARED_BYTES, STREAM_BYTES, Events, Shared
from slipway_runtime.responses import InvalidAnswer

RUN = "a" * 32
STREAM = (
    b'id: r.1.1\nevent: started\ndata: {"type":"started"}\n\n'
    b": ping\n\n"
    b'id: r.1.2\nevent: delta\ndata: {"text":"id: r.9.9 event: done"}\n\n'
    b'id: r.1.3\nevent: done\ndata: {"type":"done"}\n\n'
).replace(b"id: r.1", f"id: {RUN}.1".encode())


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 1000])
def test_pieces_of_any_size_add_up_to_the_same_events(size: int) -> None:
    events = Events(RUN)
    passed = [events.feed(STREAM[at : at + size]) for at in range(0, len(STREAM), size)]
    assert b"".join(passed) == STREAM
    assert all(piece.endswith(b"\n\n") for piece in passed if piece)
    assert (events.last_id, events.finished) == (f"{RUN}.1.3", True)


def test_half_an_event_is_not_passed_on_and_is_forgotten_with_its_pod() -> None:
    events = Events(RUN)
    whole = STREAM.index(b": ping")
    assert events.feed(STREAM[: whole + 30]) == STREAM[: whole + len(": ping\n\n")]
    events.forget_rest()
    assert events.last_id == f"{RUN}.1.1"
    restarted = f"id: {RUN}.2.1\nevent: restarted\ndata: {{}}\n\n".encode()
    assert events.feed(restarted) == restarted
    assert not events.finished


def test_words_inside_of_data_mean_nothing() -> None:
    events = Events(RUN)
    events.feed(f'id: {RUN}.1.2\nevent: delta\ndata: {{"text":"id: r.9.9 event: done"}}\n\n'.encode())
    assert (events.last_id, events.finished) == (f"{RUN}.1.2", False)


@pytest.mark.parametrize("last", ["done", "failed", "cancelled"])
def test_three_events_end_a_stream(last: str) -> None:
    events = Events(RUN)
    events.feed(f"id: {RUN}.1.9\nevent: {last}\ndata: {{}}\n\n".encode())
    assert events.finished


@pytest.mark.parametrize("other", ["b" * 32 + ".1.1", f"{RUN}.1", f"{RUN}.x.1", f"{RUN}.1." + "9" * 11, ""])
def test_an_id_that_is_none_of_the_run_is_refused(other: str) -> None:
    with pytest.raises(InvalidAnswer, match="another run"):
        Events(RUN).feed(f"id: {other}\nevent: delta\ndata: {{}}\n\n".encode())


@pytest.mark.parametrize("line", ["id: " + "f" * 32 + ".9.9", "id:evil", "id", "id:", "\ufeffid: evil"])
@pytest.mark.parametrize("before", ["", "event: delta\n"])
def test_every_id_of_a_batch_is_checked(line: str, before: str) -> None:
    batch = f"{before}{line}\nevent: delta\ndata: {{}}\n\nid: {RUN}.1.2\nevent: delta\ndata: {{}}\n\n"
    with pytest.raises(InvalidAnswer, match="another run"):
        Events(RUN).feed(batch.encode())


@pytest.mark.parametrize("bad", ["retry: 1\r\rid: evil\rdata: x\r\r\n\n", f"id: {RUN}.1.1\r\n\n", ": ping\r\n\n"])
def test_a_carriage_return_is_refused(bad: str) -> None:
    with pytest.raises(InvalidAnswer, match="carriage return"):
        Events(RUN).feed(bad.encode() + f"id: {RUN}.1.2\nevent: delta\ndata: {{}}\n\n".encode())


def test_an_event_without_an_end_is_refused() -> None:
    events = Events(RUN)
    for _ in range(EVENT_BYTES // 1000):
        assert events.feed(b"x" * 1000) == b""
    with pytest.raises(InvalidAnswer, match="an event of more"):
        events.feed(b"x" * 1000)


def test_a_stream_without_an_end_is_refused() -> None:
    events, comment = Events(RUN), b":" + b"x" * 65_533 + b"\n\n"
    for _ in range(STREAM_BYTES // len(comment)):
        assert events.feed(comment) == comment
    with pytest.raises(InvalidAnswer, match="a stream of more"):
        events.feed(comment)


def test_long_events_share_memory_and_give_it_back() -> None:
    shared = Shared(SHARED_BYTES)
    streams = [Events(RUN, shared) for _ in range(SHARED_BYTES // (EVENT_BYTES - OWN_BYTES))]
    for stream in streams:
        stream.feed(b"x" * EVENT_BYTES)
    late = Events(RUN, shared)
    assert late.feed(b"x" * OWN_BYTES + b"\n\n")  # an ordinary one is always passed on
    with pytest.raises(InvalidAnswer, match="other streams"):
        late.feed(b"x" * EVENT_BYTES)
    late.forget_rest()
    streams[0].feed(b"\n\n")
    streams[1].forget_rest()
    late.feed(b"x" * EVENT_BYTES)
    for stream in (late, *streams):
        stream.forget_rest()
    assert shared.left == SHARED_BYTES
