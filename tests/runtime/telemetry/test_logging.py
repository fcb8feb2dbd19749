"""A log record as JSON."""

import json
import logging
import sys

from slipway_runtime.telemetry.logging import JsonFormatter
from slipway_runtime.telemetry.tracing import incoming, span

TRACE = "0af7651916cd43dd8448eb211c80319c"


def formatted(**fields: object) -> dict[str, object]:
    record = logging.makeLogRecord({"name": "slipway_runtime.x", "levelno": 30, "levelname": "WARNING", **fields})
    loaded: dict[str, object] = json.loads(JsonFormatter("host").format(record))
    return loaded


def test_a_record_is_one_object_with_its_extra_fields() -> None:
    line = formatted(msg="took %d", args=(3,), created=0.25, msecs=250.0, run="abc")
    assert line == {
        "time": "1970-01-01T00:00:00.250Z",
        "level": "warning",
        "component": "host",
        "logger": "slipway_runtime.x",
        "message": "took 3",
        "run": "abc",
    }


def test_a_record_carries_the_trace_of_its_request() -> None:
    headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    with span("request", parent=incoming(headers)):
        assert formatted(msg="x")["trace_id"] == TRACE
    assert "trace_id" not in formatted(msg="x")


def test_an_exception_is_told_by_type_and_place_without_its_text() -> None:
    try:
        raise ValueError("MARKER")
    except ValueError:
        line = formatted(msg="failed", exc_info=sys.exc_info())
    assert line["error"] == "ValueError"
    assert "test_logging.py" in str(line["raised_at"])
    assert "MARKER" not in str(line).replace('raise ValueError("MARKER")', "")


def test_the_types_of_what_led_to_an_exception_are_said() -> None:
    try:
        try:
            raise KeyError("MARKER")
        except KeyError as cause:
            raise ValueError from cause
    except ValueError:
        line = formatted(msg="failed", exc_info=sys.exc_info())
    assert (line["error"], line["caused_by"]) == ("ValueError", ["KeyError"])
