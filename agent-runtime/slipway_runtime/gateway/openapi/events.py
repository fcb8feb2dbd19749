"""The events of a stream, as the document describes them: one schema and one example for each type."""

from collections.abc import Mapping
from typing import Any

import orjson

from slipway_runtime.events import MODELS
from slipway_runtime.gateway.openapi.bodies import CITATION, RUN_ID, SESSION_ID
from slipway_runtime.gateway.openapi.schemas import TEMPLATE, ref

ANY = "StreamEvent"
_STEP = {"step": "answer"}
EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "started": {"agent": "demo/support", "revision": "support-5c9f8d7b6a", "session_id": SESSION_ID},
    "decision": {**_STEP, "decision": {"agent": "demo/billing"}, "members": ["demo/billing", "demo/support"]},
    "retrieved": {**_STEP, "chunks": 5, "best_score": 0.83},
    "tool_call": {**_STEP, "id": "call-1", "name": "weather", "where": "client", "args": {"city": "Graz"}},
    "tool_result": {**_STEP, "id": "call-1", "name": "weather", "where": "client", "summary": "21 °C"},
    "delta": {**_STEP, "text": "A session is kept for 24 hours after its last use.", "citation": CITATION},
    "message_end": {**_STEP, "message": "m1"},
    "artifact": {**_STEP, "id": "a1", "name": "report.csv", "media_type": "text/csv", "text": "a,b\n1,2\n"},
    "progress": {**_STEP, "text": "reading", "done": 3, "total": 12},
    "plugin_failed": {
        **_STEP,
        "plugin": "pii",
        "stage": "after",
        "kind": "TimedOut",
        "message": "it took longer than 5 s",
    },
    "input_required": {
        **_STEP,
        "id": "go",
        "kind": "approval",
        "prompt": "Restart the pump?",
        "answerers": ["caller"],
        "expires": 1767225600.0,
    },
    "input_given": {**_STEP, "id": "go", "by": "alice"},
    "discarded": {**_STEP, "steps": ["answer"], "reason": "Retried"},
    "restarted": {"attempt": 2, "discard": ["answer"]},
    "usage": {**_STEP, "retrieval": {"chunks": 5, "embedded_texts": 1}},
    "done": {"answer": "A session is kept for 24 hours after its last use.", "finish": "stop", "sources": [CITATION]},
    "failed": {"reason": "InternalError", "message": "The agent failed. Ask again."},
    "cancelled": {"reason": "ByCaller", "message": "The caller cancelled the run."},
}
"""What each type carries, besides `type`."""


def content() -> dict[str, Any]:
    """A response's content that is a stream of events. `itemSchema` is OpenAPI 3.2's; older readers pass over it."""
    frames = (("started", 1), ("delta", 2), ("usage", 3), ("done", 4))
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": {"$ref": reference()}}
    return {
        "text/event-stream": {
            "schema": {
                "type": "string",
                "description": f"Server-sent events. The data of each is JSON of the schema {ANY}.",
            },
            "itemSchema": {
                "type": "object",
                "required": ["event", "data"],
                "properties": {
                    "id": {"type": "string", "description": "`run.attempt.seq`; send it as `Last-Event-ID` to resume"},
                    "event": {"type": "string", "enum": list(MODELS)},
                    "data": data,
                },
            },
            "examples": {
                "stream": {"summary": "A stream", "value": "".join(_frame(kind, number) for kind, number in frames)}
            },
        }
    }


def reference() -> str:
    """Where the schema of any event is."""
    return TEMPLATE.format(model=ANY)


def schemas(definitions: Mapping[str, Any]) -> dict[str, Any]:
    """The definitions with what pydantic does not know of events: the type is always there, and there is an example."""
    made = dict(definitions)
    for kind, model in MODELS.items():
        schema = made[model.__name__]
        made[model.__name__] = {
            **schema,
            "required": ["type", *schema.get("required", ())],
            "additionalProperties": True,  # of a newer version
            "examples": [{"type": kind, **EXAMPLES[kind]}],
        }
    mapping = {kind: ref(model)["$ref"] for kind, model in MODELS.items()}
    return {
        **made,
        ANY: {
            "description": "An event of a run. A client must pass over types and fields that it does not know.",
            "oneOf": [{"$ref": each} for each in mapping.values()],
            "discriminator": {"propertyName": "type", "mapping": mapping},
        },
    }


def _frame(kind: str, number: int) -> str:
    data = orjson.dumps({"type": kind, **EXAMPLES[kind]}).decode()
    return f"id: {RUN_ID}.1.{number}\nevent: {kind}\ndata: {data}\n\n"


for _model in MODELS.values():
    ref(_model)
