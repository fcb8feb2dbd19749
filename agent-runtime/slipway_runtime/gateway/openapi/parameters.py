"""The parameters of the paths: in the path, in the query and in headers."""

from collections.abc import Mapping
from typing import Any, get_args

from slipway_runtime.gateway.openapi.bodies import RUN_ID, SESSION_ID, RunState
from slipway_runtime.protocols.headers import IDEMPOTENCY_HEADER

Parameter = Mapping[str, Any]


def _parameter(where: str, name: str, description: str, *, example: str, **schema: Any) -> Parameter:
    return {
        "in": where,
        "name": name,
        "required": where == "path",
        "description": description,
        "schema": {"type": "string", **schema},
        "example": example,
    }


def path_parameter(name: str, description: str, *, example: str) -> Parameter:
    """A part of the path that is never empty."""
    return _parameter("path", name, description, example=example, minLength=1)


def query_parameter(name: str, description: str, *, example: str, **schema: Any) -> Parameter:
    """A part of the query that may be left out."""
    return _parameter("query", name, description, example=example, **schema)


def header_parameter(name: str, description: str, *, example: str, **schema: Any) -> Parameter:
    """A header that may be left out."""
    return _parameter("header", name, description, example=example, **schema)


NAMESPACE = _parameter("path", "namespace", "The agent's namespace.", example="demo", minLength=1)
NAME = _parameter("path", "name", "The agent's name.", example="support", minLength=1)
RUN = _parameter("path", "run", "The run's id.", example=RUN_ID, minLength=1)
INPUT = _parameter("path", "input", "The id in `input_required`.", example="go", minLength=1)
SESSION = _parameter("path", "session", "The session's id.", example=SESSION_ID, minLength=1)
AGENT = (NAMESPACE, NAME)
MODEL = _parameter("path", "model", "The model's id.", example="demo/support", minLength=1)

WAIT = _parameter(
    "query",
    "wait",
    "How long the question waits for its session to be free: whole seconds, at most `60s`.",
    example="30s",
    pattern="^([0-9]|[1-5][0-9]|60)s$",
)
STATE = _parameter("query", "state", "Only runs in this state.", example="waiting", enum=list(get_args(RunState)))
OF_SESSION = _parameter("query", "session", "Only runs of this session.", example=SESSION_ID)
PAGE = _parameter("query", "page", "`next_page` of the page before.", example=f"1767139200.5-{RUN_ID}")

IDEMPOTENCY_KEY = _parameter(
    "header",
    IDEMPOTENCY_HEADER,
    "One word, new for each question. A repeated request with the same key and body starts nothing: it attaches to the "
    "same run.",
    example="3f2c9a1e-5b7d-4c1a-8e2f-0a1b2c3d4e5f",
    pattern="^[\\x21-\\x7e]{1,255}$",
)
LAST_EVENT_ID = _parameter(
    "header",
    "Last-Event-ID",
    "The id of the last event that was received. A stream goes on after it.",
    example=f"{RUN_ID}.1.2",
    pattern="^[0-9a-f]{32}\\.[0-9]+\\.[0-9]+$",
)
