"""Problems as errors of the protocol."""

from a2a.utils import errors

from slipway_runtime.problems import Problem, Reason

ERRORS: dict[Reason, type[errors.A2AError]] = {
    Reason.RUN_NOT_FOUND: errors.TaskNotFoundError,
    Reason.INPUT_NOT_FOUND: errors.UnsupportedOperationError,
    Reason.INPUT_NOT_OPEN: errors.UnsupportedOperationError,
    Reason.NOT_AN_ANSWERER: errors.UnsupportedOperationError,
    Reason.SESSION_BUSY: errors.UnsupportedOperationError,
    Reason.SESSION_FULL: errors.UnsupportedOperationError,
    Reason.SESSION_NOT_FOUND: errors.InvalidParamsError,
    Reason.INVALID_REQUEST: errors.InvalidParamsError,
    Reason.QUESTION_TOO_LARGE: errors.InvalidParamsError,
    Reason.UNSUPPORTED_ENCODING: errors.InvalidRequestError,
    Reason.INVALID_JSON: errors.InvalidRequestError,
}
"""Of what a client can do something about. Everything else is an internal error."""


def a2a_error(problem: Problem) -> errors.A2AError:
    """The error that stands for a problem, which keeps its reason."""
    more = {} if problem.retry_after is None else {"retryAfter": str(problem.retry_after)}
    kind = ERRORS.get(problem.reason, errors.InternalError)
    return kind(problem.detail, data={"reason": problem.reason.value, **more})
