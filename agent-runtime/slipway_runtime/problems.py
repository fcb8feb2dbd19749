"""Every way in which a request is refused or fails, as RFC 9457 problem details.

A problem has one stable PascalCase reason, which programs may compare, and a detail, which explains what to do.
The table in `docs/http-api.md` is this one.
"""

from dataclasses import dataclass
from enum import StrEnum

import orjson
from starlette.responses import Response

from slipway_crds import contract

MEDIA_TYPE = "application/problem+json"
SAFE_HEADERS = {"x-content-type-options": "nosniff", "cache-control": "no-store"}
"""An answer is what its type says and nothing else, and it is the caller's alone."""


class Reason(StrEnum):
    """The stable word for what went wrong."""

    INVALID_JSON = "InvalidJSON"
    MALFORMED_REQUEST = "MalformedRequest"
    UNAUTHENTICATED = "Unauthenticated"
    NOT_AN_ANSWERER = "NotAnAnswerer"
    NOT_A_MEMBER = "NotAMember"
    ORIGIN_NOT_ALLOWED = "OriginNotAllowed"
    AGENT_NOT_FOUND = "AgentNotFound"
    WORKFLOW_NOT_FOUND = "WorkflowNotFound"
    SESSION_NOT_FOUND = "SessionNotFound"
    RUN_NOT_FOUND = "RunNotFound"
    INPUT_NOT_FOUND = "InputNotFound"
    NOT_FOUND = "NotFound"
    METHOD_NOT_ALLOWED = "MethodNotAllowed"
    SLOW_REQUEST = "SlowRequest"
    SESSION_FULL = "SessionFull"
    SESSION_BUSY = "SessionBusy"
    INPUT_NOT_OPEN = "InputNotOpen"
    QUESTION_TOO_LARGE = "QuestionTooLarge"
    URL_TOO_LONG = "URLTooLong"
    UNSUPPORTED_ENCODING = "UnsupportedEncoding"
    INVALID_REQUEST = "InvalidRequest"
    OVERLOADED = "Overloaded"
    RATE_LIMITED = "RateLimited"
    HEADERS_TOO_LARGE = "HeadersTooLarge"
    CANCELLED = "Cancelled"
    INTERNAL_ERROR = "InternalError"
    UNKNOWN_OUTCOME = contract.UNKNOWN_OUTCOME
    DRAINING = "Draining"
    NOT_READY = "NotReady"
    NO_POD_READY = "NoPodReady"
    NO_MEMBER_ANSWERED = "NoMemberAnswered"
    REQUIRED_TOOL_FAILED = "RequiredToolFailed"
    PLUGIN_FAILED = contract.PLUGIN_FAILED
    STORE_UNAVAILABLE = "StoreUnavailable"
    IDENTITY_UNAVAILABLE = "IdentityUnavailable"
    INDEX_NOT_READY = "IndexNotReady"
    REQUEST_TIMEOUT = "RequestTimeout"
    INVALID_ANSWER = "InvalidAnswer"
    MODELS_UNAVAILABLE = "ModelsUnavailable"
    LIMIT_REACHED = "LimitReached"
    INVALID_OUTPUT = "InvalidOutput"


@dataclass(frozen=True)
class ProblemKind:
    """What all problems of one reason have in common. `retry_after` is in seconds, None if a retry is pointless."""

    status: int
    title: str
    retry_after: int | None = None


KINDS: dict[Reason, ProblemKind] = {
    Reason.INVALID_JSON: ProblemKind(400, "The body is not JSON"),
    Reason.MALFORMED_REQUEST: ProblemKind(400, "The request is not valid HTTP"),
    Reason.UNAUTHENTICATED: ProblemKind(401, "The caller is not known"),
    Reason.NOT_AN_ANSWERER: ProblemKind(403, "Others are asked for this input"),
    Reason.NOT_A_MEMBER: ProblemKind(403, "The agent may not ask this one"),
    Reason.ORIGIN_NOT_ALLOWED: ProblemKind(403, "Pages of this origin may not ask"),
    Reason.AGENT_NOT_FOUND: ProblemKind(404, "There is no such agent"),
    Reason.WORKFLOW_NOT_FOUND: ProblemKind(404, "There is no such workflow"),
    Reason.SESSION_NOT_FOUND: ProblemKind(404, "There is no such session"),
    Reason.RUN_NOT_FOUND: ProblemKind(404, "There is no such run"),
    Reason.INPUT_NOT_FOUND: ProblemKind(404, "There is no such input"),
    Reason.NOT_FOUND: ProblemKind(404, "There is nothing at this path"),
    Reason.METHOD_NOT_ALLOWED: ProblemKind(405, "The method does not fit the path"),
    Reason.SLOW_REQUEST: ProblemKind(408, "The request did not arrive in time"),
    Reason.SESSION_FULL: ProblemKind(409, "The session takes no more questions"),
    Reason.SESSION_BUSY: ProblemKind(409, "The session is busy with another question"),
    Reason.INPUT_NOT_OPEN: ProblemKind(409, "The input is not open any more"),
    Reason.CANCELLED: ProblemKind(409, "The run was cancelled"),
    Reason.QUESTION_TOO_LARGE: ProblemKind(413, "The body is too large"),
    Reason.URL_TOO_LONG: ProblemKind(414, "The URL is too long"),
    Reason.UNSUPPORTED_ENCODING: ProblemKind(415, "The encoding of the body is not supported"),
    Reason.INVALID_REQUEST: ProblemKind(422, "The request is not valid"),
    Reason.LIMIT_REACHED: ProblemKind(422, "A limit of the agent was reached"),
    Reason.INVALID_OUTPUT: ProblemKind(422, "What the models gave cannot be used"),
    Reason.OVERLOADED: ProblemKind(429, "Too many questions at once", retry_after=1),
    Reason.RATE_LIMITED: ProblemKind(429, "The caller sends too many requests", retry_after=1),
    Reason.HEADERS_TOO_LARGE: ProblemKind(431, "The headers are too large"),
    Reason.INTERNAL_ERROR: ProblemKind(500, "Something went wrong here"),
    Reason.UNKNOWN_OUTCOME: ProblemKind(500, "It is not known what a tool did"),
    Reason.INVALID_ANSWER: ProblemKind(502, "A pod gave no valid answer"),
    Reason.DRAINING: ProblemKind(503, "This pod is shutting down", retry_after=1),
    Reason.NOT_READY: ProblemKind(503, "The gateway has just started", retry_after=1),
    Reason.NO_POD_READY: ProblemKind(503, "No pod is ready for this agent", retry_after=5),
    Reason.NO_MEMBER_ANSWERED: ProblemKind(503, "No member of the agent answered", retry_after=5),
    Reason.REQUIRED_TOOL_FAILED: ProblemKind(503, "A tool that the answer needs failed", retry_after=5),
    Reason.PLUGIN_FAILED: ProblemKind(503, "A plugin that the answer needs failed", retry_after=5),
    Reason.STORE_UNAVAILABLE: ProblemKind(503, "The store is unavailable", retry_after=5),
    Reason.IDENTITY_UNAVAILABLE: ProblemKind(503, "It cannot be checked who is calling", retry_after=5),
    Reason.INDEX_NOT_READY: ProblemKind(503, "An index of the agent is not ready", retry_after=10),
    Reason.MODELS_UNAVAILABLE: ProblemKind(503, "No model of the agent answered", retry_after=5),
    Reason.REQUEST_TIMEOUT: ProblemKind(504, "The answer took too long"),
}


class Problem(Exception):
    """A request that ends in an error answer.

    Args:
        reason: which one.
        detail: one or two sentences for the caller: what is so and what to do. Never a question or an answer.
        retry_after: seconds; the reason's own where it is not given.
    """

    def __init__(self, reason: Reason, detail: str, *, retry_after: int | None = None) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.retry_after = KINDS[reason].retry_after if retry_after is None else retry_after

    @property
    def status(self) -> int:
        """The HTTP status code."""
        return KINDS[self.reason].status

    def body(self) -> bytes:
        """The problem details as JSON."""
        kind = KINDS[self.reason]
        return orjson.dumps(
            {
                "type": f"urn:slipway:problem:{self.reason}",
                "title": kind.title,
                "status": kind.status,
                "detail": self.detail,
                "reason": self.reason.value,
            }
        )

    def headers(self) -> dict[str, str]:
        """Media type, and where it makes sense when to come back and how to authenticate."""
        headers = {"content-type": MEDIA_TYPE, **SAFE_HEADERS}
        if self.retry_after is not None:
            headers["retry-after"] = str(self.retry_after)
        if self.reason is Reason.UNAUTHENTICATED:
            headers["www-authenticate"] = "Bearer"
        return headers

    def response(self) -> Response:
        """The answer to send."""
        return Response(self.body(), status_code=self.status, headers=self.headers())


def reason_of(word: str) -> Reason:
    """The reason that a stored word stands for; a word of a newer version counts as an internal error."""
    try:
        return Reason(word)
    except ValueError:
        return Reason.INTERNAL_ERROR
