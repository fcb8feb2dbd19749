"""Logs as JSON, one object a line on standard error, with the trace id of the request they belong to.

Exceptions are logged with their type and where they were raised, but without their text: texts of exceptions quote
what was being worked on, and that may be a question.
"""

import logging
import sys
import time
import traceback
from typing import Any

import orjson

from slipway_runtime.telemetry.tracing import current_ids

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
NOISY = (
    *("httpx", "httpcore", "httpx2", "httpcore2", "chromadb", "opentelemetry"),
    *("openai", "anthropic", "google_genai", "botocore", "urllib3"),
)
"""Libraries that log each request below the level of a warning; SDKs of providers log bodies, too."""


class JsonFormatter(logging.Formatter):
    """A record as one JSON object. What is passed as `extra=` becomes fields."""

    def __init__(self, component: str) -> None:
        super().__init__()
        self._component = component

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "component": self._component,
            "logger": record.name,
            "message": record.getMessage(),
        }
        trace_id, span_id = current_ids()
        if trace_id:
            fields |= {"trace_id": trace_id, "span_id": span_id}
        fields |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info and record.exc_info[0]:
            fields["error"] = record.exc_info[0].__name__
            fields["caused_by"] = _causes(record.exc_info[1])
            fields["raised_at"] = "".join(traceback.format_tb(record.exc_info[2])).rstrip()
        return orjson.dumps(fields, default=str).decode()


def _causes(error: BaseException | None) -> list[str]:
    """The types of the exceptions that led to this one, the nearest first."""
    found: list[str] = []
    while error is not None and (error := error.__cause__ or error.__context__) is not None:
        found.append(type(error).__name__)
    return found


def log_as_json(name: str, component: str) -> None:
    """Send what one logger has to say to standard error as JSON, apart from the other logs. Call once, at start."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(component))
    logger = logging.getLogger(name)
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def configure_logging(component: str, *, level: int = logging.INFO) -> None:
    """Send all logs of this process, uvicorn's too, to standard error as JSON. Call once, at start."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(component))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
