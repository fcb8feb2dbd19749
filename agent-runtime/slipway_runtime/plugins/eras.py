"""What a message of one era says in the other. Pure: requests and results as JSON, of which unknown parts stay."""

from collections.abc import Mapping
from typing import Any

from mcp_types import CLIENT_CAPABILITIES_META_KEY, CLIENT_INFO_META_KEY, PROTOCOL_VERSION_META_KEY
from mcp_types.jsonrpc import MISSING_REQUIRED_CLIENT_CAPABILITY
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION

from slipway_runtime.plugins.discovery import SERVER_INFO, Discovery, modern_meta
from slipway_runtime.plugins.messages import MessageId
from slipway_runtime.protocols.mcp.sdk import inbound

Content = dict[str, Any]
LOG_LEVEL = "io.modelcontextprotocol/logLevel"
ENVELOPE = frozenset({PROTOCOL_VERSION_META_KEY, CLIENT_INFO_META_KEY, CLIENT_CAPABILITIES_META_KEY, LOG_LEVEL})
CACHEABLE = frozenset(
    {"tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read", "server/discover"}
)
MODERN_ONLY = ("resultType", "ttlMs", "cacheScope")
ASKED: Mapping[str, str] = {
    "elicitation/create": "elicitation",
    "sampling/createMessage": "sampling",
    "roots/list": "roots",
}
"""What a server may ask a client, and the capability that it needs for it."""


def to_session(params: Mapping[str, Any]) -> Content:
    """Parameters for a server of 2025-11-25."""
    given = dict(params)
    meta = given.get("_meta")
    if isinstance(meta, Mapping):
        kept = {name: value for name, value in meta.items() if name not in ENVELOPE}
        given = {**given, "_meta": kept} if kept else {name: each for name, each in given.items() if name != "_meta"}
    return given


def to_modern(params: Mapping[str, Any]) -> Content:
    """Parameters for a server of 2026-07-28, from a client that can do nothing for it."""
    meta = params.get("_meta")
    return {**params, "_meta": {**(meta if isinstance(meta, Mapping) else {}), **modern_meta()}}


def modern_answer(answer: Content, method: str) -> Content:
    """An answer of a server of 2025-11-25 for a client of 2026-07-28. Nobody may keep it: who else it is for is not
    known."""
    result = answer.get("result")
    if not isinstance(result, dict):
        return answer
    added: Content = {"resultType": "complete"}
    if method in CACHEABLE:
        added |= {"ttlMs": 0, "cacheScope": "private"}
    return {**answer, "result": {**added, **result}}


def session_answer(answer: Content) -> Content:
    """An answer of a server of 2026-07-28 for a client of 2025-11-25. One that asks the client for something is none
    that it could read: it becomes an error."""
    result = answer.get("result")
    if not isinstance(result, dict):
        return answer
    if result.get("resultType") == "input_required":
        asked = [str(each.get("method")) for each in _values(result.get("inputRequests")) if isinstance(each, dict)]
        return {**answer, **cannot_ask(next((each for each in asked if each in ASKED), "elicitation/create"))}
    return {**answer, "result": {name: each for name, each in result.items() if name not in MODERN_ONLY}}


def only_what_it_can(answer: Content, capabilities: object) -> Content:
    """An answer that asks a client of 2026-07-28 for nothing that it did not say it can do; otherwise an error."""
    result = answer.get("result")
    if not isinstance(result, dict) or result.get("resultType") != "input_required":
        return answer
    able = capabilities if isinstance(capabilities, Mapping) else {}
    for asked in _values(result.get("inputRequests")):
        method = str(asked.get("method")) if isinstance(asked, dict) else ""
        if ASKED.get(method, "elicitation") not in able:
            return without_result({**answer, **cannot_ask(method, why="which the client did not declare")})
    return answer


def _values(value: object) -> list[Any]:
    return list(value.values()) if isinstance(value, Mapping) else list(value) if isinstance(value, list) else []


OTHER_ERA = "and is of another era of MCP than the client: connect with a client of the server's era"


def cannot_ask(method: str, *, why: str = OTHER_ERA) -> Content:
    """The error that ends a call whose server asks the client for what it cannot be asked."""
    capability = ASKED.get(method, "elicitation")
    return {
        "result": None,
        "error": {
            "code": MISSING_REQUIRED_CLIENT_CAPABILITY,
            "message": f"the server asks its client for {capability}, {why}",
            "data": {"requiredCapabilities": {capability: {}}},
        },
    }


def without_result(answer: Content) -> Content:
    """An answer that has either a result or an error."""
    return {name: value for name, value in answer.items() if not (name == "result" and value is None)}


def discovered(found: Discovery, message_id: MessageId) -> Content:
    """The answer to `server/discover` for a server of 2025-11-25."""
    offered = {name: value for name, value in found.capabilities.items() if name in ("tools", "prompts", "resources")}
    result: Content = {
        "supportedVersions": [LATEST_MODERN_VERSION],
        "capabilities": {**offered, **_completions(found)},
        "_meta": {SERVER_INFO: dict(found.server_info)},
    }
    if found.instructions:
        result["instructions"] = found.instructions
    return modern_answer({"jsonrpc": "2.0", "id": message_id, "result": result}, "server/discover")


def initialized(found: Discovery, message_id: MessageId, params: Mapping[str, Any]) -> Content:
    """The answer to `initialize` for a server of 2026-07-28: without what only streams of a session could bring."""
    asked = params.get("protocolVersion")
    offered: Content = {name: {} for name in ("tools", "prompts", "resources") if name in found.capabilities}
    result: Content = {
        "protocolVersion": asked if asked in HANDSHAKE_PROTOCOL_VERSIONS else LATEST_HANDSHAKE_VERSION,
        "capabilities": {**offered, **_completions(found)},
        "serverInfo": {"name": "server", "version": "0", **found.server_info},
    }
    if found.instructions:
        result["instructions"] = found.instructions
    return {"jsonrpc": "2.0", "id": message_id, "result": result}


def _completions(found: Discovery) -> Content:
    return {"completions": found.capabilities["completions"]} if "completions" in found.capabilities else {}


def param_headers(found: Discovery, tool: str, arguments: object) -> dict[str, str]:
    """The headers that mirror a call's arguments, which a client of 2025-11-25 knows nothing of."""
    known = found.by_name.get(tool)
    schema = known.definition.get("inputSchema") if known is not None else None
    if not isinstance(schema, dict) or not isinstance(arguments, Mapping):
        return {}
    return inbound.mcp_param_headers(inbound.x_mcp_header_map(schema), arguments)
