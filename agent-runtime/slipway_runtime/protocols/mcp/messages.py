"""JSON-RPC messages of MCP, read strictly: what a policy reads must be what is done.

https://modelcontextprotocol.io/specification/2026-07-28/basic. Batches were in one revision only and are refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from mcp_types import jsonrpc

from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.bodies import RepeatedKey, read_unique_json

Json = Mapping[str, Any]
Id = str | int
STATUS: Mapping[int, int] = {
    jsonrpc.PARSE_ERROR: 400,
    jsonrpc.INVALID_REQUEST: 400,
    jsonrpc.INVALID_PARAMS: 400,
    jsonrpc.HEADER_MISMATCH: 400,
    jsonrpc.MISSING_REQUIRED_CLIENT_CAPABILITY: 400,
    jsonrpc.UNSUPPORTED_PROTOCOL_VERSION: 400,
    jsonrpc.METHOD_NOT_FOUND: 404,
}
"""The HTTP status of an error in revision 2026-07-28. In the revisions before, errors of requests have 200."""
MESSAGE_BYTES = 4 * 1024 * 1024
"""Bytes in a message from a client."""
LONGEST_ID, LONGEST_OWN_ID = 256, 4096
"""Characters of an id that a client chose, and of one that it was given."""


class RpcError(Exception):
    """A request that ends in an error of JSON-RPC.

    Args:
        code: one of `mcp_types.jsonrpc`.
        status: the HTTP status where it is another one than the code's.
    """

    def __init__(self, code: int, message: str, data: object = None, *, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data
        self.status = status or STATUS.get(code, 200)

    def body(self, id_: Id | None) -> bytes:
        """The error as the answer to a request; None for one whose id is not known."""
        error = {"code": self.code, "message": self.message} | ({} if self.data is None else {"data": self.data})
        return orjson.dumps({"jsonrpc": "2.0", "id": id_, "error": error})


@dataclass(frozen=True)
class Request:
    """A request of a client."""

    id: Id
    method: str
    params: Json

    @property
    def meta(self) -> Json:
        """`params._meta`; empty if there is none."""
        meta = self.params.get("_meta")
        return meta if isinstance(meta, Mapping) else {}

    @property
    def progress_token(self) -> Id | None:
        """By which the client wants to be notified of progress."""
        token = self.meta.get("progressToken")
        return token if isinstance(token, str | int) and not isinstance(token, bool) else None


@dataclass(frozen=True)
class Notification:
    """What a client says without wanting an answer."""

    method: str
    params: Json


@dataclass(frozen=True)
class Response:
    """A client's answer to a request of the server's."""

    id: Id
    result: Json | None
    """None if the client answered with an error."""


Message = Request | Notification | Response


def parse(body: bytes, headers: Mapping[str, str]) -> Message:
    """The one message in a body.

    Raises:
        RpcError: for a batch, a key that is there twice, another media type, or what is no message.
    """
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise RpcError(jsonrpc.INVALID_REQUEST, "Send the message with Content-Type: application/json", status=415)
    message = _object(body, headers)
    if message.get("jsonrpc") != "2.0":
        raise _invalid('a message has "jsonrpc": "2.0"')
    if "method" not in message:
        return _response(message)
    method, params = message["method"], message.get("params", {})
    if not isinstance(method, str) or not isinstance(params, dict):
        raise _invalid("`method` is a string and `params` is an object")
    return Request(_id(message), method, params) if "id" in message else Notification(method, params)


def _response(message: Json) -> Response:
    result = message.get("result")
    if ("result" in message) == ("error" in message) or not isinstance(result, dict | None):
        raise _invalid("a message is a request, a notification, or a response with either `result` or `error`")
    return Response(_id(message, LONGEST_OWN_ID), result)


def _id(message: Json, longest: int = LONGEST_ID) -> Id:
    found = message.get("id")
    if isinstance(found, bool) or not isinstance(found, str | int) or len(str(found)) > longest:
        raise _invalid("`id` is a string or an integer")
    return found


def _object(body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    try:
        read = read_unique_json(body, headers)
    except RepeatedKey as repeated:
        raise _invalid(repeated.detail) from None
    except Problem as problem:
        if problem.reason is not Reason.INVALID_JSON:
            raise
        raise RpcError(jsonrpc.PARSE_ERROR, "The body is not JSON") from None
    if not isinstance(read, dict):
        raise _invalid("send one message in each request, as an object: batches are not taken")
    return read


def _invalid(what: str) -> RpcError:
    return RpcError(jsonrpc.INVALID_REQUEST, f"This is not a message of JSON-RPC: {what}")


def result(id_: Id, content: Json) -> bytes:
    """The answer to a request."""
    return orjson.dumps({"jsonrpc": "2.0", "id": id_, "result": content})


def notification(method: str, params: Json) -> bytes:
    """What the server says without wanting an answer."""
    return orjson.dumps({"jsonrpc": "2.0", "method": method, "params": params})


def request(id_: Id, method: str, params: Json) -> bytes:
    """A request of the server's, of which there are none in revision 2026-07-28."""
    return orjson.dumps({"jsonrpc": "2.0", "id": id_, "method": method, "params": params})
