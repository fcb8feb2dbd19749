"""One trace id for a request, also where nothing is exported."""

from slipway_runtime.telemetry.tracing import current_ids, incoming, outgoing, span

TRACE = "0af7651916cd43dd8448eb211c80319c"


def test_a_request_without_a_trace_gets_one_and_passes_it_on() -> None:
    with span("request", parent=incoming({})):
        trace_id, _ = current_ids()
        assert int(trace_id, 16) > 0
        with span("inner"):
            assert current_ids()[0] == trace_id
        headers: dict[str, str] = {}
        outgoing(headers)
        assert headers["traceparent"].split("-")[1] == trace_id
    with span("request", parent=incoming({})):
        assert current_ids()[0] != trace_id


def test_a_request_with_a_trace_keeps_it() -> None:
    for header in (f"00-{TRACE}-b7ad6b7169203331-01", f"00-{TRACE}-b7ad6b7169203331-00"):
        with span("request", parent=incoming({"traceparent": header})):
            assert current_ids()[0] == TRACE


def test_a_broken_traceparent_is_a_new_trace() -> None:
    with span("request", parent=incoming({"traceparent": "00-zz-zz-00"})):
        assert len(current_ids()[0]) == 32


def test_outside_a_request_there_is_none() -> None:
    assert current_ids() == ("", "")
