"""Why a host does not answer, in words for whoever asked."""

from collections.abc import Iterable

from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.headers import OTHER_QUESTION
from slipway_runtime.store.sessions import SessionBusy


def store_unavailable() -> Problem:
    """The store does not answer."""
    return Problem(
        Reason.STORE_UNAVAILABLE, "The store cannot be reached. Nothing is lost; ask again after the Retry-After time."
    )


def internal_error() -> Problem:
    """Something that should not happen did."""
    return Problem(Reason.INTERNAL_ERROR, "The agent failed. Ask again; the pod's log has the cause under this run.")


def too_late(seconds: int) -> Problem:
    """The deadline has passed."""
    return Problem(
        Reason.REQUEST_TIMEOUT,
        f"There was no answer within {seconds} seconds. Ask again, or raise spec.limits.requestTimeout of the Agent.",
    )


def given_up(attempts: int) -> Problem:
    """The question brings hosts down."""
    return Problem(Reason.INTERNAL_ERROR, f"The question was given up after {attempts} attempts. Ask again.")


def unknown_outcome() -> Problem:
    """A step that must not be run again has no result."""
    return Problem(
        Reason.UNKNOWN_OUTCOME,
        "A tool that must not run twice was interrupted, and it is not known what it did. Look there before you ask "
        "again: the run's last tool_call names it.",
    )


def draining() -> Problem:
    """This host is shutting down."""
    return Problem(Reason.DRAINING, "This pod takes no more questions. Ask again: another pod answers.")


def overloaded(hosted: HostedAgent) -> Problem:
    """This host is at its bound."""
    return Problem(
        Reason.OVERLOADED,
        f"This pod answers {hosted.config.in_flight} questions of {hosted.key} at a time. Ask again after the "
        "Retry-After time. If this happens often, raise spec.scaling or spec.limits.inFlight of the Agent.",
    )


def session_not_found() -> Problem:
    """No such session for this caller and agent."""
    return Problem(
        Reason.SESSION_NOT_FOUND,
        "You have no such session with this agent, or it has expired. Leave session_id out to begin a new one.",
    )


def session_full(hosted: HostedAgent) -> Problem:
    """No more turns in this session."""
    return Problem(
        Reason.SESSION_FULL,
        f"The session has {hosted.config.session_max_turns} questions, as many as spec.sessions.maxTurns allows. "
        "Leave session_id out to begin a new one.",
    )


def session_busy(busy: SessionBusy, agent: str) -> Problem:
    """One answer at a time."""
    if busy.waits:
        what = "waits for an input: give it, or cancel the run with DELETE"
    else:
        what = "is not over: ask again with ?wait=30s, or cancel the run with DELETE"
    return Problem(Reason.SESSION_BUSY, f"The run /agents/{agent}/runs/{busy.run_id} of this session {what}.")


def other_question() -> Problem:
    """The run's id was used before."""
    return Problem(Reason.INVALID_REQUEST, OTHER_QUESTION)


def input_not_found() -> Problem:
    """No such input."""
    return Problem(
        Reason.INPUT_NOT_FOUND, "This run has not asked for such an input. The run's events name its inputs."
    )


def incomplete_input(kind: str) -> Problem:
    """The answer lacks what this kind of input asks."""
    if kind == "approval":
        return Problem(Reason.INVALID_REQUEST, 'An approval is asked for: send {"approved": true} or false.')
    return Problem(Reason.INVALID_REQUEST, 'Send {"answer": {...}}, or {"approved": false} to decline.')


def not_an_answerer(answerers: Iterable[str]) -> Problem:
    """The run's caller, who may look at what others are asked."""
    asked = ", ".join(answerers)
    return Problem(Reason.NOT_AN_ANSWERER, f"This input is asked of {asked}. One of them can give it.")


def input_not_open() -> Problem:
    """Too late."""
    return Problem(
        Reason.INPUT_NOT_OPEN,
        "The input was given already, or its time is over, or the run is. GET the run to see what became of it.",
    )


def run_not_found() -> Problem:
    """No such run of this caller and agent."""
    return Problem(
        Reason.RUN_NOT_FOUND, "You have no such run with this agent. Runs are deleted together with their session."
    )


def agent_not_found(agent: str) -> Problem:
    """No such agent on this host."""
    return Problem(Reason.AGENT_NOT_FOUND, f"There is no agent {agent} here. GET /agents lists those there are.")
