"""The errors of the paths: which reasons each kind of path has, and an example of what each reason's `detail` says."""

from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

import orjson

from slipway_runtime.gateway.openapi.bodies import RUN_ID, ProblemDetails
from slipway_runtime.gateway.openapi.schemas import ref
from slipway_runtime.problems import KINDS, Problem, Reason
from slipway_runtime.protocols.chat import Chat
from slipway_runtime.protocols.skin import Answer

DETAILS: Mapping[Reason, str] = {
    Reason.INVALID_JSON: 'Send a JSON object as the body, for example {"question": "How do I begin?"}.',
    Reason.MALFORMED_REQUEST: "the HTTP request is refused: it has two headers host",
    Reason.UNAUTHENTICATED: "X-API-Key was not sent and Authorization was not sent: send an API key as "
    "'X-API-Key: KEY' or as 'Authorization: Bearer KEY'; 'slipway keys new NAME' makes one",
    Reason.NOT_AN_ANSWERER: "This input is asked of group:operators. One of them can give it.",
    Reason.NO_MEMBER_ANSWERED: "No member answered: hr failed (NoPodReady: no pod of agent demo/hr became ready within "
    "15 s: see the Agent's conditions); it abstained.",
    Reason.PLUGIN_FAILED: "The plugin pii is required, and failed (TimedOut: it took longer than 5 s).",
    Reason.REQUIRED_TOOL_FAILED: "The tool ask-hr is required, and agent hr gave no answer (NoPodReady: no pod of "
    "agent demo/hr became ready within 15 s: see the Agent's conditions).",
    Reason.NOT_A_MEMBER: "agent demo/lead may ask its members and the agents among its tools, and demo/support is none "
    "of them.",
    Reason.ORIGIN_NOT_ALLOWED: "pages of this origin may not ask: add it to the chart value "
    "gateway.cors.allowedOrigins",
    Reason.AGENT_NOT_FOUND: "there is no such agent: GET /agents lists what there is",
    Reason.WORKFLOW_NOT_FOUND: "there is no such workflow: GET /workflows lists what there is",
    Reason.SESSION_NOT_FOUND: "You have no such session with this agent, or it has expired. Leave session_id out to "
    "begin a new one.",
    Reason.RUN_NOT_FOUND: "You have no such run with this agent. Runs are deleted together with their session.",
    Reason.INPUT_NOT_FOUND: "This run has not asked for such an input. The run's events name its inputs.",
    Reason.NOT_FOUND: "There is nothing at this path. Send the request to /agents instead.",
    Reason.METHOD_NOT_ALLOWED: "This path does not take this method.",
    Reason.SLOW_REQUEST: "the body did not arrive within 10 s: send the request whole",
    Reason.SESSION_FULL: "The session has 50 questions, as many as spec.sessions.maxTurns allows. Leave session_id out "
    "to begin a new one.",
    Reason.SESSION_BUSY: f"The run /agents/demo/support/runs/{RUN_ID} of this session is not over: ask again with "
    "?wait=30s, or cancel the run with DELETE.",
    Reason.INPUT_NOT_OPEN: "The input was given already, or its time is over, or the run is. GET the run to see what "
    "became of it.",
    Reason.CANCELLED: "The caller cancelled the run.",
    Reason.QUESTION_TOO_LARGE: "the body may have at most 65536 bytes: send less",
    Reason.URL_TOO_LONG: "the URL may have at most 8192 bytes: send long texts in the body",
    Reason.UNSUPPORTED_ENCODING: "The body is compressed with gzip, which is not read. Send the JSON as UTF-8, with "
    "'Content-Type: application/json; charset=utf-8' and no Content-Encoding.",
    Reason.INVALID_REQUEST: "question: Field required. The fields are `question`, `session_id` and `context`.",
    Reason.OVERLOADED: "the gateway works on 1000 requests already: come back later",
    Reason.RATE_LIMITED: "you may send 600 requests a minute: come back after the seconds in Retry-After",
    Reason.HEADERS_TOO_LARGE: "send at most 100 headers, not 101",
    Reason.INTERNAL_ERROR: "The agent failed. Ask again; the pod's log has the cause under this run.",
    Reason.UNKNOWN_OUTCOME: "A tool that must not run twice was interrupted, and it is not known what it did. Look "
    "there before you ask again: the run's last tool_call names it.",
    Reason.MODELS_UNAVAILABLE: "no model answered: gpt-5 is overloaded. Try again shortly.",
    Reason.LIMIT_REACHED: "There was no answer within 20 requests to models (limits.maxSteps): ask for less at "
    "once, or raise the limit.",
    Reason.INVALID_OUTPUT: "The model gave no output that fits the schema in 3 tries: simplify the schema, or use "
    "another model.",
    Reason.DRAINING: "This pod takes no more questions. Ask again: another pod answers.",
    Reason.NOT_READY: "this gateway has not read the list of agents yet: ask again, and see its /readyz if that lasts",
    Reason.NO_POD_READY: "no pod of agent demo/support became ready within 30 s: see the Agent's conditions",
    Reason.STORE_UNAVAILABLE: "The store cannot be reached. Nothing is lost; ask again after the Retry-After time.",
    Reason.IDENTITY_UNAVAILABLE: "the identity provider cannot be asked for its keys: ask again, or use an API key",
    Reason.INDEX_NOT_READY: "the index docs has no vectors yet; try again shortly",
    Reason.REQUEST_TIMEOUT: "There was no answer within 60 seconds. Ask again, or raise spec.limits.requestTimeout of "
    "the Agent.",
    Reason.INVALID_ANSWER: "a pod of agent demo/support sent a redirect, which is not followed: see whether a pod that "
    "is none of the agent's has its labels (kubectl get pods --show-labels), then ask again",
}
"""An example of each reason's detail."""

EVERYWHERE = (
    *(Reason.MALFORMED_REQUEST, Reason.NOT_FOUND, Reason.METHOD_NOT_ALLOWED, Reason.SLOW_REQUEST),
    *(Reason.QUESTION_TOO_LARGE, Reason.URL_TOO_LONG, Reason.OVERLOADED, Reason.HEADERS_TOO_LARGE),
    Reason.INTERNAL_ERROR,
)
"""What any request can meet, before it is known who sends it. `NotFound` and `MethodNotAllowed` are for requests that
missed the path."""
WITH_A_KEY = (*EVERYWHERE, Reason.UNAUTHENTICATED, Reason.RATE_LIMITED, Reason.IDENTITY_UNAVAILABLE)
OF_THE_LIST = (*WITH_A_KEY, Reason.NOT_READY)
"""What needs to know which agents there are."""
OF_AN_AGENT = (
    *OF_THE_LIST,
    *(Reason.AGENT_NOT_FOUND, Reason.INVALID_ANSWER, Reason.NO_POD_READY, Reason.STORE_UNAVAILABLE),
    Reason.REQUEST_TIMEOUT,
)
OF_A_BODY = (Reason.INVALID_JSON, Reason.UNSUPPORTED_ENCODING, Reason.INVALID_REQUEST)
OF_A_RUN_THAT_ENDED = (
    *(Reason.CANCELLED, Reason.INDEX_NOT_READY, Reason.DRAINING, Reason.MODELS_UNAVAILABLE, Reason.UNKNOWN_OUTCOME),
    *(Reason.LIMIT_REACHED, Reason.INVALID_OUTPUT, Reason.NO_MEMBER_ANSWERED, Reason.REQUIRED_TOOL_FAILED),
    Reason.PLUGIN_FAILED,
)
OF_A_QUESTION = (
    *OF_AN_AGENT,
    *OF_A_BODY,
    *OF_A_RUN_THAT_ENDED,
    *(Reason.SESSION_NOT_FOUND, Reason.SESSION_FULL, Reason.SESSION_BUSY),
)

AsAnswer = Callable[[Problem], Answer]
"""How a skin words a problem."""
REFERENCE = "#/components/examples/"
HEADERS: Mapping[str, Any] = {
    "Retry-After": {"description": "Seconds to wait before the request is sent again.", "schema": {"type": "integer"}},
    "WWW-Authenticate": {"description": "How to authenticate.", "schema": {"type": "string"}},
}


def responses(
    reasons: Iterable[Reason], *, as_answer: AsAnswer | None = None, schema: Mapping[str, Any] = ref(ProblemDetails)
) -> dict[int, dict[str, Any]]:
    """The responses of a path with these reasons, by status, each with an example for every reason.

    Args:
        as_answer: the words of a skin that has errors of its own; RFC 9457 problem details if not given.
        schema: of those.
    """
    found: dict[int, dict[str, Any]] = {}
    for reason in sorted(set(reasons), key=list(Reason).index):
        answer = (as_answer or Chat().problem)(Problem(reason, DETAILS[reason]))
        response = found.setdefault(answer.status, {"description": HTTPStatus(answer.status).phrase, "content": {}})
        media = response["content"].setdefault(answer.headers["content-type"], {"schema": schema, "examples": {}})
        media["examples"][reason.value] = _example(reason, answer) if as_answer else {"$ref": REFERENCE + reason.value}
        if headers := {name: header for name, header in HEADERS.items() if name.lower() in answer.headers}:
            response.setdefault("headers", {}).update(headers)
    return found


def examples() -> dict[str, Any]:
    """An example of every reason as problem details, by its name, to which `responses` refers."""
    return {
        reason.value: _example(reason, Chat().problem(Problem(reason, detail))) for reason, detail in DETAILS.items()
    }


def _example(reason: Reason, answer: Answer) -> dict[str, Any]:
    return {"summary": KINDS[reason].title, "value": orjson.loads(answer.body)}
