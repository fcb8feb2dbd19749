"""The operations of the gateway's paths. `gateway.endpoints` says at which path each is served, and by what."""

from dataclasses import replace

from slipway_runtime.gateway.openapi import bodies, events, parameters
from slipway_runtime.gateway.openapi.operations import Operation, answer, body
from slipway_runtime.gateway.openapi.parameters import AGENT
from slipway_runtime.gateway.openapi.problems import (
    EVERYWHERE,
    OF_A_BODY,
    OF_A_QUESTION,
    OF_A_RUN_THAT_ENDED,
    OF_AN_AGENT,
    OF_THE_LIST,
    WITH_A_KEY,
)
from slipway_runtime.problems import Reason
from slipway_runtime.protocols.asked import InputBody
from slipway_runtime.protocols.chat import ChatRequest

ANSWERS = {
    200: answer(
        bodies.ChatAnswer, "The answer, or with `Accept: text/event-stream` the events of the run.", **events.content()
    ),
    202: answer(bodies.WaitingRun, "The run waits for somebody."),
}
NOTHING = {"description": "Done. There is no body."}

CHAT = Operation(
    id="askAgent",
    summary="Ask an agent",
    tag="Asking",
    description="Answers with JSON, or with a stream if the request accepts `text/event-stream`. A client that "
    "disconnects does not cancel its question.",
    parameters=(*AGENT, parameters.WAIT, parameters.IDEMPOTENCY_KEY, parameters.LAST_EVENT_ID),
    body=body(
        ChatRequest,
        question={"question": "How long is a session kept?"},
        conversation={"question": "And a run?", "session_id": bodies.SESSION_ID},
        context={"question": "What does this ticket need?", "context": {"ticket": 7}},
    ),
    answers=ANSWERS,
    reasons=OF_A_QUESTION,
)
DEFAULT_CHAT = replace(
    CHAT,
    id="askDefaultAgent",
    summary="Ask the default agent",
    description="The chart value `gateway.defaultAgent` names it.",
    parameters=CHAT.parameters[len(AGENT) :],
)
SMART_CHAT = replace(
    DEFAULT_CHAT,
    id="askSmartAgent",
    summary="Ask the smart agent",
    description="The chart value `gateway.smartAgent` names it.",
)
LIST_RUNS = Operation(
    id="listRuns",
    summary="List the caller's runs",
    tag="Runs",
    description="Newest first, at most 50 a page.",
    parameters=(*AGENT, parameters.OF_SESSION, parameters.STATE, parameters.PAGE),
    answers={200: answer(bodies.RunList, "A page of runs.")},
    reasons=(*OF_AN_AGENT, Reason.INVALID_REQUEST),
)
READ_RUN = Operation(
    id="readRun",
    summary="Attach to a run, or wait for its end",
    tag="Runs",
    description="With `Accept: text/event-stream` the events after `Last-Event-ID`, or all of them.",
    parameters=(*AGENT, parameters.RUN, parameters.LAST_EVENT_ID),
    answers={**ANSWERS, 204: {"description": "The run is over, and the client has had its last event."}},
    reasons=(*OF_AN_AGENT, *OF_A_RUN_THAT_ENDED, Reason.RUN_NOT_FOUND, Reason.INVALID_REQUEST),
)
CANCEL_RUN = Operation(
    id="cancelRun",
    summary="Cancel a run",
    tag="Runs",
    description="A run that is over stays as it is.",
    parameters=(*AGENT, parameters.RUN),
    answers={204: NOTHING},
    reasons=(*OF_AN_AGENT, Reason.RUN_NOT_FOUND),
)
GIVE_INPUT = Operation(
    id="giveInput",
    summary="Give an input that a run waits for",
    tag="Runs",
    description="The first answer counts.",
    parameters=(*AGENT, parameters.RUN, parameters.INPUT, parameters.IDEMPOTENCY_KEY),
    body=body(InputBody, approval={"approved": True}, form={"answer": {"city": "Graz"}}, declined={"approved": False}),
    answers={200: answer(bodies.GivenInput, "The run goes on.")},
    reasons=(
        *(*OF_AN_AGENT, *OF_A_BODY, Reason.RUN_NOT_FOUND, Reason.INPUT_NOT_FOUND),
        *(Reason.INPUT_NOT_OPEN, Reason.NOT_AN_ANSWERER),
    ),
)
READ_SESSION = Operation(
    id="readSession",
    summary="Read a session",
    tag="Sessions",
    parameters=(*AGENT, parameters.SESSION),
    answers={200: answer(bodies.SessionTurns, "The session.")},
    reasons=(*OF_AN_AGENT, Reason.SESSION_NOT_FOUND),
)
DELETE_SESSION = Operation(
    id="deleteSession",
    summary="Delete a session together with its runs",
    tag="Sessions",
    parameters=(*AGENT, parameters.SESSION),
    answers={204: NOTHING},
    reasons=(*OF_AN_AGENT, Reason.SESSION_NOT_FOUND),
)
LIST_AGENTS = Operation(
    id="listAgents",
    summary="List the agents that the caller may see",
    tag="Agents",
    answers={200: answer(bodies.AgentList, "The agents.")},
    reasons=OF_THE_LIST,
    head=True,
)
OPENAPI = Operation(
    id="readOpenAPI",
    summary="Read this document",
    tag="Gateway",
    answers={200: {"description": "This document.", "content": {"application/json": {"schema": {"type": "object"}}}}},
    reasons=WITH_A_KEY,
    head=True,
)
DOCS = Operation(
    id="readDocs",
    summary="Read this document as a web page",
    tag="Gateway",
    description="A static page, which reads `/openapi.json` with the key that is typed into it.",
    answers={200: {"description": "The page.", "content": {"text/html": {"schema": {"type": "string"}}}}},
    reasons=EVERYWHERE,
    open=True,
    head=True,
)
LIVEZ = Operation(
    id="readLiveness",
    summary="See that the gateway is alive",
    tag="Gateway",
    answers={
        200: {
            "description": "It is.",
            "content": {"text/plain": {"schema": {"type": "string"}, "example": "alive"}},
        }
    },
    reasons=EVERYWHERE,
    open=True,
    head=True,
)
READYZ = Operation(
    id="readReadiness",
    summary="See whether the gateway can serve",
    tag="Gateway",
    answers={
        200: answer(bodies.Readiness, "It can."),
        503: answer(bodies.Readiness, "It cannot, and the body says why."),
    },
    reasons=EVERYWHERE,
    open=True,
    head=True,
)
