"""What a run waits for as a form for the client's user, and the user's answer as an input of the run."""

from collections.abc import Mapping
from typing import Any

from slipway_runtime.events import InputRequired
from slipway_runtime.protocols.asked import InputBody
from slipway_runtime.protocols.mcp.messages import Json

METHOD = "elicitation/create"
PRIMITIVE = frozenset(("string", "number", "integer", "boolean"))
ASIDE = frozenset(("type", "title", "description", "default", "enum", "format"))
BOUNDS = frozenset(("minLength", "maxLength", "minimum", "maximum"))


def form(asked: InputRequired) -> Json | None:
    """The parameters of `elicitation/create`; None for what no form of the protocol can ask."""
    message = asked.prompt or ("May the agent go on?" if asked.kind == "approval" else "The agent needs an answer.")
    if asked.kind == "approval":
        schema: Json = {"type": "object", "properties": {}}
    elif asked.kind == "form" and asked.answer_schema is not None and _is_flat(asked.answer_schema):
        schema = {
            key: asked.answer_schema[key] for key in ("type", "properties", "required") if key in asked.answer_schema
        }
    else:
        return None
    return {"mode": "form", "message": message, "requestedSchema": schema}


def _is_flat(schema: Json) -> bool:
    properties = schema.get("properties")
    return (
        schema.get("type") == "object"
        and isinstance(properties, Mapping)
        and all(isinstance(each, Mapping) and _is_primitive(each) for each in properties.values())
    )


def _is_primitive(schema: Json) -> bool:
    return schema.get("type") in PRIMITIVE and set(schema) <= ASIDE | BOUNDS


def given(kind: object, answer: Json | None) -> InputBody:
    """What the user said, as an input.

    Args:
        kind: of the input.
        answer: an `ElicitResult`; None where the client failed. Whoever declines or dismisses the form denies it.
    """
    if answer is None or answer.get("action") != "accept":
        return InputBody(approved=False)
    if kind == "approval":
        return InputBody(approved=True)
    content: Any = answer.get("content")
    return InputBody(answer=dict(content) if isinstance(content, Mapping) else {})
