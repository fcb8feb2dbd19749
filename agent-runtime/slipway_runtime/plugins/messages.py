"""MCP messages as clients post them: read once, checked, and refused in the words of the specification.

Nothing is made anew that need not be: what a server gets are the client's own bytes, unless a name is another one. So a
key that is there twice is refused: a server might read the other one than the gateway did.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, NoReturn

import orjson
from mcp_types import PROTOCOL_VERSION_META_KEY
from mcp_types.jsonrpc import HEADER_MISMATCH, INTERNAL_ERROR, INVALID_REQUEST, PARSE_ERROR
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from slipway_runtime.protocols.mcp.sdk import inbound

JSON = "application/json"
EVENT_STREAM = "text/event-stream"
SESSION_HEADER = "mcp-session-id"
LAST_EVENT_HEADER = "last-event-id"
PARAM_PREFIX = "mcp-param-"
ENDLESS = "subscriptions/listen"
"""The method whose stream lasts as long as both sides want it."""
DEEPEST = 200
MessageId = str | int | None


class Kind(Enum):
    """What a message is."""

    REQUEST = auto()
    NOTIFICATION = auto()
    RESPONSE = auto()


class MessageRefused(Exception):
    """A message that is answered with an error of JSON-RPC."""

    def __init__(
        self, code: int, message: str, *, status: int | None = None, data: object = None, message_id: MessageId = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status if status is not None else inbound.ERROR_CODE_HTTP_STATUS.get(code, 200)
        self.data = data
        self.id = message_id

    def body(self) -> bytes:
        """The error as JSON-RPC."""
        return error_body(self.id, self.code, self.message, self.data)


@dataclass(frozen=True)
class ClientMessage:
    """One message of a client."""

    kind: Kind
    raw: bytes
    content: Mapping[str, Any]
    method: str
    id: MessageId
    params: Mapping[str, Any]
    version: str | None
    """The revision in the header or in the message; None where an old client gives none."""
    modern: bool
    """Whether it keeps to 2026-07-28."""
    extra: Mapping[str, str]
    """Headers that mirror arguments."""

    @property
    def name(self) -> str | None:
        """The tool, the prompt or the resource that it is about."""
        key = inbound.NAME_BEARING_METHODS.get(self.method)
        value = self.params.get(key) if key else None
        return value if isinstance(value, str) else None

    @property
    def answerable(self) -> bool:
        """Whether the end of its stream has to be an answer. That of a session may end early: its client comes back for
        the rest."""
        return self.kind is Kind.REQUEST and self.modern and self.method != ENDLESS

    def renamed(self, name: str) -> bytes:
        """The bytes with another name."""
        if name == self.name:
            return self.raw
        content = {**self.content, "params": {**self.params, inbound.NAME_BEARING_METHODS[self.method]: name}}
        return dumps(content)

    def headers(self, name: str | None) -> dict[str, str]:
        """What a server of the same era gets: the headers that mirror the message, with the name it knows."""
        headers = {"Content-Type": JSON, "Accept": f"{JSON}, {EVENT_STREAM}"}
        if self.version is not None:
            headers["MCP-Protocol-Version"] = self.version
        if self.modern:
            headers |= {"Mcp-Method": self.method, **self.extra}
            if name is not None:
                headers["Mcp-Name"] = inbound.encode_header_value(name)
        return headers


def dumps(content: object) -> bytes:
    """JSON text with whole numbers of any size, as a client may have written them."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def error_body(message_id: MessageId, code: int, message: str, data: object = None) -> bytes:
    """An error of JSON-RPC."""
    error = {"code": code, "message": message} | ({"data": data} if data is not None else {})
    return orjson.dumps({"jsonrpc": "2.0", "id": message_id, "error": error})


def parse(body: bytes, headers: Sequence[tuple[str, str]]) -> ClientMessage:
    """Read and check a posted message.

    Args:
        headers: names in small letters, with values; a name may be there twice.

    Raises:
        MessageRefused: for anything that the specification forbids.
    """
    if (twice := inbound.find_duplicated_routing_header(headers)) is not None:
        raise MessageRefused(HEADER_MISMATCH, f"the header {twice} is there twice")
    given = dict(headers)
    _check_type(given.get("content-type", ""))
    content = _read(body)
    kind = _kind(content)
    message_id = content.get("id") if kind is not Kind.NOTIFICATION else None
    params = content.get("params")
    if params is not None and not isinstance(params, dict):
        raise MessageRefused(INVALID_REQUEST, "params must be an object", message_id=message_id)
    params = params or {}
    meta = params.get("_meta")
    in_body = meta.get(PROTOCOL_VERSION_META_KEY) if isinstance(meta, dict) else None
    version = given.get(inbound.MCP_PROTOCOL_VERSION_HEADER)
    modern = in_body is not None or (version is not None and version not in HANDSHAKE_PROTOCOL_VERSIONS)
    if modern:
        _check_modern(kind, content, given, message_id)
    extra = {name: value for name, value in given.items() if name.startswith(PARAM_PREFIX)} if modern else {}
    return ClientMessage(kind, body, content, content.get("method", ""), message_id, params, version, modern, extra)


def _check_type(content_type: str) -> None:
    if content_type.partition(";")[0].strip().lower() != JSON:
        raise MessageRefused(INVALID_REQUEST, f"send the message with Content-Type: {JSON}", status=415)


def _read(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body, object_pairs_hook=_unique, parse_constant=_no_constant)
    except MessageRefused:
        raise
    except (ValueError, RecursionError):
        raise MessageRefused(PARSE_ERROR, "the body is not JSON in UTF-8") from None
    if isinstance(content, list):
        raise MessageRefused(INVALID_REQUEST, "send one message at a time: MCP has no batches since 2025-06-18")
    if not isinstance(content, dict) or content.get("jsonrpc") != "2.0":
        raise MessageRefused(INVALID_REQUEST, 'the body is no message of JSON-RPC 2.0: it needs "jsonrpc": "2.0"')
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise MessageRefused(INVALID_REQUEST, f"the key {twice[:40]!r} is there twice in one object")
    return made


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


def _kind(content: Mapping[str, Any]) -> Kind:
    method, message_id = content.get("method"), content.get("id")
    if "id" in content and (isinstance(message_id, bool) or not isinstance(message_id, str | int)):
        raise MessageRefused(INVALID_REQUEST, "id must be a text or a whole number")
    if "method" in content:
        if not isinstance(method, str):
            raise MessageRefused(INVALID_REQUEST, "method must be a text", message_id=message_id)
        return Kind.REQUEST if "id" in content else Kind.NOTIFICATION
    if "id" in content and ("result" in content or "error" in content):
        return Kind.RESPONSE
    raise MessageRefused(INVALID_REQUEST, "the message has neither a method nor a result", message_id=message_id)


def _check_modern(kind: Kind, content: Mapping[str, Any], headers: Mapping[str, str], message_id: MessageId) -> None:
    if kind is Kind.REQUEST:
        route = inbound.classify_inbound_request(content, headers=headers)
        if isinstance(route, inbound.InboundLadderRejection):
            raise refused(route, message_id)
        return
    version = headers.get(inbound.MCP_PROTOCOL_VERSION_HEADER, "")
    if (unsupported := inbound.unsupported_protocol_version_rejection(version)) is not None:
        raise refused(unsupported, message_id)
    if kind is Kind.NOTIFICATION and headers.get(inbound.MCP_METHOD_HEADER, content["method"]) != content["method"]:
        raise MessageRefused(HEADER_MISMATCH, f"{inbound.MCP_METHOD_HEADER} header does not match the message's method")


def refused(rejection: inbound.InboundLadderRejection, message_id: MessageId) -> MessageRefused:
    """The SDK's verdict as ours."""
    return MessageRefused(rejection.code, rejection.message, data=rejection.data, message_id=message_id)


def decoded_headers(raw: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Headers as `parse` takes them."""
    return [(name.decode("latin-1").lower(), value.decode("latin-1").strip()) for name, value in raw]


__all__ = [
    "EVENT_STREAM",
    "INTERNAL_ERROR",
    "JSON",
    "ClientMessage",
    "Kind",
    "MessageId",
    "MessageRefused",
    "decoded_headers",
    "dumps",
    "error_body",
    "parse",
]
