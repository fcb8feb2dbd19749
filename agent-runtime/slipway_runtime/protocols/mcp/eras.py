"""The two eras of MCP: revisions with a handshake, and 2026-07-28, whose requests carry all that they need.

https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http: what is in headers for the
sake of proxies must agree with the body.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp_types import CLIENT_CAPABILITIES_META_KEY, PROTOCOL_VERSION_META_KEY, jsonrpc
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, LATEST_HANDSHAKE_VERSION, MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError
from starlette.datastructures import Headers

from slipway_runtime.protocols.mcp.messages import Json, Request, RpcError

VERSION_HEADER = "mcp-protocol-version"
METHOD_HEADER = "mcp-method"
NAME_HEADER = "mcp-name"
SESSION_HEADER = "mcp-session-id"
NAMED_BY: Mapping[str, str] = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""Parameter that `Mcp-Name` repeats, by method."""
ASKED_OF_CLIENTS: Mapping[str, tuple[str, ...]] = {
    "elicitation": ("form", "url"),
    "sampling": ("tools", "context"),
    "roots": (),
}
"""Capabilities of clients that servers may use, with what each may have. Changes of roots are not told to servers."""
UNSAID_VERSION = "2025-03-26"
"""Of a client that names none after its handshake (specification 2025-11-25)."""
RESUMABLE_SINCE = "2025-11-25"
"""From then on a stream begins with an event that has an id and no data."""
_BASE64 = re.compile(r"=\?base64\?(.*)\?=")


@dataclass(frozen=True)
class Context:
    """What is known of a client apart from its request."""

    version: str
    capabilities: Json = field(default_factory=dict)
    session: str = ""
    """Names the session among those of its caller; empty for a request that belongs to none."""

    @property
    def modern(self) -> bool:
        """Whether the request carries all that it needs."""
        return self.version in MODERN_PROTOCOL_VERSIONS

    @property
    def asked(self) -> Json:
        """What the client can do when a server asks it for something, as it declared that."""
        declared = {name: self.capabilities.get(name) for name in ASKED_OF_CLIENTS}
        return {name: each for name, each in declared.items() if isinstance(each, Mapping)}

    @property
    def elicits(self) -> bool:
        """Whether the client can ask its user something by a form."""
        declared = self.capabilities.get("elicitation")
        return isinstance(declared, Mapping) and (not declared or "form" in declared)


def is_modern(request: Request, headers: Headers) -> bool:
    """Whether a request is one of revision 2026-07-28 or later, by its header or its body."""
    version = headers.get(VERSION_HEADER)
    return PROTOCOL_VERSION_META_KEY in request.meta or (version or UNSAID_VERSION) not in HANDSHAKE_PROTOCOL_VERSIONS


def modern_context(request: Request, headers: Headers) -> Context:
    """The client of a request that carries all that it needs.

    Raises:
        RpcError: if something is missing, header and body disagree, or the version is another one.
    """
    for name in (VERSION_HEADER, METHOD_HEADER, NAME_HEADER):
        if len(headers.getlist(name)) > 1:
            raise RpcError(jsonrpc.HEADER_MISMATCH, f"The header {name} is there twice")
    missing = [key for key in (PROTOCOL_VERSION_META_KEY, CLIENT_CAPABILITIES_META_KEY) if key not in request.meta]
    if missing:
        raise RpcError(jsonrpc.INVALID_PARAMS, f"params._meta must have {' and '.join(missing)}")
    version, capabilities = request.meta[PROTOCOL_VERSION_META_KEY], request.meta[CLIENT_CAPABILITIES_META_KEY]
    _agree(VERSION_HEADER, headers, version)
    _agree(METHOD_HEADER, headers, request.method)
    named = NAMED_BY.get(request.method)
    if named is not None and request.params.get(named) is not None:
        _agree(NAME_HEADER, headers, request.params[named])
    if version not in MODERN_PROTOCOL_VERSIONS:
        raise unsupported(version)
    if not isinstance(capabilities, Mapping):
        raise RpcError(jsonrpc.INVALID_PARAMS, f"params._meta: {CLIENT_CAPABILITIES_META_KEY} must be an object")
    return Context(version, capabilities)


def unsupported(version: object) -> RpcError:
    """The client wants a version that there is not. What a handshake agrees on is not named here."""
    supported = list(MODERN_PROTOCOL_VERSIONS)
    return RpcError(
        jsonrpc.UNSUPPORTED_PROTOCOL_VERSION,
        "Unsupported protocol version",
        {"supported": supported, "requested": str(version)[:100]},
    )


def _agree(name: str, headers: Headers, value: object) -> None:
    if decoded(headers.get(name)) != value:
        raise RpcError(jsonrpc.HEADER_MISMATCH, f"The header {name} must be there and say the same as the body")


def decoded(value: str | None) -> str | None:
    """What a header says, which may be written as `=?base64?...?=`; None for what cannot be read."""
    value = value.strip(" \t") if value is not None else None  # RFC 9110, 5.5
    found = _BASE64.fullmatch(value or "")
    if found is None:
        return value
    try:
        read = base64.b64decode(found[1], validate=True)
        return read.decode() if base64.b64encode(read).decode() == found[1] else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def validated(request: Request, version: str) -> Any:
    """See that a request has the parameters of its method, and return it as the SDK reads it.

    Raises:
        RpcError: for an unknown method, or parameters that do not fit.
    """
    from mcp_types import methods  # the models of all messages: a third of what a gateway's start takes

    try:
        methods.validate_client_request(request.method, version, dict(request.params))
    except KeyError:
        raise no_such_method(request.method) from None
    except ValidationError as error:
        where = (".".join(map(str, fault["loc"])) for fault in error.errors(include_input=False, include_url=False))
        raise RpcError(jsonrpc.INVALID_PARAMS, f"Invalid parameters: {', '.join(dict.fromkeys(where))}") from None


def no_such_method(method: str) -> RpcError:
    """The server has no such method."""
    return RpcError(jsonrpc.METHOD_NOT_FOUND, f"Method not found: {method[:100]}")


def negotiated(wanted: object) -> str:
    """The version of a session, from what the client wants."""
    return wanted if isinstance(wanted, str) and wanted in HANDSHAKE_PROTOCOL_VERSIONS else LATEST_HANDSHAKE_VERSION
