"""Agent cards: what an agent can, and where it is asked."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

VERSION = "1.0"
BINDINGS = ("JSONRPC", "HTTP+JSON")
INPUT_MODES = ("text/plain", "application/json")
PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
OUTPUT_MODES = ("text/plain", "application/json")
SECONDS = 60
"""How long a client may keep a card without asking whether it has changed."""
HEADERS = {"content-type": "application/json", "cache-control": f"private, max-age={SECONDS}"}


@dataclass(frozen=True)
class Described:
    """What a card says of an agent."""

    name: str
    url: str
    """Where it is asked, for both bindings."""
    description: str
    revision: str
    """The version: it is another one whenever something changes that answers depend on."""
    knowledge: Sequence[str] = ()
    tools: Sequence[str] = ()
    keys: bool = True
    """Whether a key is needed."""


def card(described: Described) -> dict[str, Any]:
    """The card as JSON data."""
    interfaces = [
        {"url": described.url, "protocolBinding": binding, "protocolVersion": VERSION} for binding in BINDINGS
    ]
    return {
        "name": described.name,
        "description": described.description or f"The agent {described.name}.",
        "version": described.revision or "0",
        "supportedInterfaces": interfaces,
        "capabilities": {"streaming": True, "pushNotifications": True, "extendedAgentCard": False},
        "defaultInputModes": [*INPUT_MODES, *PICTURES],
        "defaultOutputModes": [*OUTPUT_MODES],
        "skills": _skills(described),
        **(_security() if described.keys else {}),
    }


def workflow_card(described: Described) -> dict[str, Any]:
    """The card of a workflow, which runs and tells of it, but calls nobody back."""
    whole = card(described)
    modes = {"defaultInputModes": ["application/json", "text/plain"], "defaultOutputModes": ["application/json"]}
    capabilities = {**whole["capabilities"], "pushNotifications": False}
    skills = [_skill("run", "Run", described.description, "workflow")]
    return {**whole, **modes, "capabilities": capabilities, "skills": skills}


def _skills(described: Described) -> list[dict[str, Any]]:
    ask = _skill("ask", "Ask", described.description or f"Answers questions to {described.name}.", "question")
    knowledge = [
        _skill(f"knowledge-{name}", name, f"Answers from the documents of {name}, with citations.", "knowledge")
        for name in described.knowledge
    ]
    tools = [
        _skill(f"tool-{name}", name, f"Uses the tool {name} while it answers.", "tool") for name in described.tools
    ]
    return [ask, *knowledge, *tools]


def _skill(identity: str, name: str, description: str, tag: str) -> dict[str, Any]:
    return {"id": identity, "name": name, "description": description, "tags": [tag]}


def _security() -> Mapping[str, Any]:
    return {
        "securitySchemes": {
            "bearer": {"httpAuthSecurityScheme": {"scheme": "bearer"}},
            "apiKey": {"apiKeySecurityScheme": {"location": "header", "name": "X-API-Key"}},
        },
        "securityRequirements": [{"schemes": {"bearer": {}}}, {"schemes": {"apiKey": {}}}],
    }


def etag(body: bytes) -> str:
    """The tag of a card as it is sent."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def unchanged(tag: str, if_none_match: str) -> bool:
    """Whether a client has this card already (RFC 9110, 13.1.2)."""
    known = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    return "*" in known or tag in known


def dump(data: Mapping[str, Any]) -> bytes:
    """A card as bytes, the same for the same card."""
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
