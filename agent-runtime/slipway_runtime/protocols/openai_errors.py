"""Problems in the shape of OpenAI's errors, and what its clients may repeat.

The official clients repeat 408, 409, 429 and 5xx by themselves, unless `x-should-retry` says otherwise.
"""

from collections.abc import Mapping
from types import MappingProxyType

import orjson

from slipway_runtime.events import Cancelled, Failed
from slipway_runtime.problems import SAFE_HEADERS, Problem, Reason, reason_of
from slipway_runtime.protocols.parameters import BadParameter
from slipway_runtime.protocols.skin import Answer

ANSWER_RESTARTED = "answer_restarted"
"""Code of the error that ends a stream whose text became void."""
CODES: Mapping[Reason, str] = MappingProxyType(
    {Reason.UNAUTHENTICATED: "invalid_api_key", Reason.AGENT_NOT_FOUND: "model_not_found"}
)
"""OpenAI's own words, where there is one. Otherwise the code is the reason."""
REPEATABLE = frozenset((Reason.STORE_UNAVAILABLE, Reason.INDEX_NOT_READY, Reason.OVERLOADED, Reason.DRAINING))
"""Why a run may have failed and may as well succeed when it is asked again."""


class RunFailed(Problem):
    """A run that ended without an answer. Asking again would do and cost everything again."""


def failure(event: Failed | Cancelled) -> Problem:
    """What ended a run."""
    if isinstance(event, Cancelled):
        return RunFailed(Reason.CANCELLED, event.message)
    reason = reason_of(event.reason)
    return (Problem if reason in REPEATABLE else RunFailed)(reason, event.message)


def error(problem: Problem) -> dict[str, object]:
    """The object under `error`."""
    return {
        "message": problem.detail,
        "type": _type(problem.status),
        "param": _param(problem),
        "code": CODES.get(problem.reason, problem.reason.value),
    }


def restarted() -> dict[str, object]:
    """The same for a stream whose text became void."""
    return {
        "message": "What was sent of this answer is void, because its agent had to begin again. Drop it and ask again. "
        "With the header X-Slipway-Hold-Text: true no text is sent that could become void.",
        "type": "server_error",
        "param": None,
        "code": ANSWER_RESTARTED,
    }


def answer(problem: Problem) -> Answer:
    """The response for a problem."""
    status = problem.status
    final = isinstance(problem, RunFailed) or status in (409, 413, 415, 422)
    if status in (409, 422) or problem.reason is Reason.UNKNOWN_OUTCOME:
        status = 400  # other clients than the official ones repeat 5xx whatever the header says
    headers = {"content-type": "application/json", **SAFE_HEADERS}
    if final or 400 <= status < 408:
        headers["x-should-retry"] = "false"
    elif problem.retry_after is not None:
        headers["retry-after"] = str(problem.retry_after)
    if problem.reason is Reason.UNAUTHENTICATED:
        headers["www-authenticate"] = "Bearer"
    return Answer(status, headers, orjson.dumps({"error": error(problem)}))


def _type(status: int) -> str:
    if status == 429:
        return "rate_limit_error"
    return "server_error" if status >= 500 else "invalid_request_error"


def _param(problem: Problem) -> str | None:
    if isinstance(problem, BadParameter):
        return problem.param
    return "model" if problem.reason is Reason.AGENT_NOT_FOUND else None
