"""The operation of AG-UI, whose schemas are the protocol's own: https://docs.ag-ui.com/spec/1.0/schema."""

from typing import Any

from slipway_runtime.gateway.openapi import parameters
from slipway_runtime.gateway.openapi.operations import Operation
from slipway_runtime.gateway.openapi.parameters import AGENT
from slipway_runtime.gateway.openapi.problems import OF_A_QUESTION
from slipway_runtime.problems import Reason

SCHEMA = "https://docs.ag-ui.com/spec/1.0/schema"
INPUT: dict[str, Any] = {
    "threadId": "thread-1",
    "runId": "run-1",
    "protocolVersion": "1.0",
    "messages": [{"id": "message-1", "role": "user", "content": "How long is a session kept?"}],
}
EVENTS = "".join(
    f"data: {event}\n\n"
    for event in (
        '{"type":"RUN_STARTED","threadId":"thread-1","runId":"run-1","protocolVersion":"1.0"}',
        '{"type":"TEXT_MESSAGE_START","messageId":"message-2","role":"assistant"}',
        '{"type":"TEXT_MESSAGE_CONTENT","messageId":"message-2","delta":"24 hours."}',
        '{"type":"TEXT_MESSAGE_END","messageId":"message-2"}',
        '{"type":"RUN_FINISHED","threadId":"thread-1","runId":"run-1","outcome":{"type":"success"}}',
    )
)
EVENT: dict[str, Any] = {
    "type": "object",
    "required": ["data"],
    "properties": {
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"type": "object", "required": ["type"], "properties": {"type": {"type": "string"}}},
        }
    },
}

RUN_AGENT = Operation(
    id="runAgent",
    summary="Ask an agent by AG-UI",
    tag="AG-UI",
    description="The thread is a session, and the last message of the user is the question. A client that disconnects "
    "cancels its run; the same `runId` attaches to it again.",
    parameters=(*AGENT, parameters.IDEMPOTENCY_KEY),
    body={
        "schema": {
            "type": "object",
            "description": f"A `RunAgentInput`: {SCHEMA}",
            "required": ["threadId", "runId", "messages"],
        },
        "examples": {"question": {"value": INPUT}},
    },
    answers={
        200: {
            "description": "The events of the run.",
            "content": {
                "text/event-stream": {
                    "schema": {"description": f"Server-sent events. The data of each is an event: {SCHEMA}"},
                    "itemSchema": EVENT,
                    "examples": {"stream": {"summary": "An answer", "value": EVENTS}},
                }
            },
        }
    },
    reasons=(*OF_A_QUESTION, Reason.INPUT_NOT_FOUND),
)
