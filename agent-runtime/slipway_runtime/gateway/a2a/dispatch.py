"""The SDK's dispatchers, which read requests and word answers, over our handler."""

import logging
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

os.environ.setdefault("OTEL_INSTRUMENTATION_A2A_SDK_ENABLED", "false")  # its spans would come twice

from a2a.server.jsonrpc_models import InvalidRequestError, JSONParseError
from a2a.server.request_handlers.request_handler import RequestHandler
from a2a.server.request_handlers.response_helpers import build_error_response
from a2a.server.routes.jsonrpc_dispatcher import JsonRpcDispatcher
from a2a.server.routes.rest_dispatcher import RestDispatcher
from a2a.utils.error_handlers import build_rest_error_payload
from a2a.utils.errors import ContentTypeNotSupportedError
from sse_starlette.event import ensure_bytes

from slipway_runtime.gateway.a2a.visit import VISIT, Contexts, Troubled
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.a2a.errors import a2a_error
from slipway_runtime.protocols.bodies import RepeatedKey, read_unique_json
from slipway_runtime.protocols.skin import Answer

logging.getLogger("a2a").setLevel(logging.CRITICAL)  # it logs parts of what clients sent; clients get the reason

JSON_RPC = "json-rpc"
SEND = {
    True: 'Send one request of JSON-RPC as the body, for example {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", '
    '"params": {...}}.',
    False: 'Send a JSON object as the body, for example {"message": {...}}.',
}
"""The error for a body that is not JSON: by JSON-RPC, or by HTTP with JSON."""
Method = Callable[[Request], Awaitable[Response]]


class Dispatch:
    """Answers requests of known callers.

    Args:
        handler: what the requests are answered by.
    """

    def __init__(self, handler: RequestHandler) -> None:
        contexts = Contexts()
        rest = RestDispatcher(handler, contexts)
        self._rpc = JsonRpcDispatcher(handler, contexts)
        self._methods: Mapping[str, Method] = {
            JSON_RPC: self._rpc.handle_requests,
            "send": rest.on_message_send,
            "stream": rest.on_message_send_stream,
            "get": rest.on_get_task,
            "list": rest.list_tasks,
            "cancel": rest.on_cancel_task,
            "subscribe": rest.on_subscribe_to_task,
            "create push": rest.set_push_notification,
            "get push": rest.get_push_notification,
            "list push": rest.list_push_notifications,
            "delete push": rest.delete_push_notification,
            "extended card": rest.handle_authenticated_agent_card,
        }

    async def answer(
        self, operation: str, request: Request, body: bytes, visit: Troubled
    ) -> Answer | AsyncGenerator[bytes]:
        """The answer, whole or as the pieces of an event stream.

        Args:
            operation: `json-rpc`, or what is asked by the other binding.
            visit: what the handler gets of the request.
        """
        if request.method == "POST" and (body or operation == JSON_RPC):
            if not _is_json(request.headers.get("content-type", "")):
                return _not_json(rpc=operation == JSON_RPC)
            try:
                body = orjson.dumps(read_unique_json(body, request.headers, send=SEND[operation == JSON_RPC]))
            except Problem as problem:
                return _refused(problem, rpc=operation == JSON_RPC)
        response = await self._methods[operation](_with_body(request, body, visit))
        frames = getattr(response, "body_iterator", None)
        if frames is not None:
            return _pieces(frames)
        status = response.status_code
        if visit.problem is not None and operation != JSON_RPC and status >= 500:
            status = visit.problem.status
        return Answer(status, _headers(response, visit.problem), bytes(response.body))


def _is_json(content_type: str) -> bool:
    """Whether a body may be JSON by its header, which may be missing."""
    kind = content_type.partition(";")[0].strip().lower()
    return not kind or kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _not_json(*, rpc: bool) -> Answer:
    error = ContentTypeNotSupportedError("Send JSON, with Content-Type: application/json.")
    if rpc:
        return _json(JSONResponse(build_error_response(None, error)))
    return _json(JSONResponse(build_rest_error_payload(error), status_code=415))


def _json(response: JSONResponse) -> Answer:
    return Answer(response.status_code, {"content-type": "application/json"}, bytes(response.body))


def _with_body(request: Request, body: bytes, visit: Troubled) -> Request:
    """The request as the SDK reads it: the body was read and bounded already."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request({**request.scope, VISIT: visit}, receive)


def _headers(response: Response, problem: Problem | None) -> dict[str, str]:
    headers = {"content-type": response.headers.get("content-type", "application/json")}
    if problem is not None and problem.retry_after is not None:
        headers["retry-after"] = str(problem.retry_after)
    return headers


def _refused(problem: Problem, *, rpc: bool) -> Answer:
    if rpc and isinstance(problem, RepeatedKey):
        response = JSONResponse(build_error_response(None, InvalidRequestError(message=problem.detail)))
    elif rpc and problem.reason is not Reason.QUESTION_TOO_LARGE:
        response = JSONResponse(build_error_response(None, JSONParseError(message=problem.detail)))
    elif rpc:
        response = JSONResponse(build_error_response(None, a2a_error(problem)))
    else:
        response = JSONResponse(build_rest_error_payload(a2a_error(problem)), status_code=problem.status)
    return _json(response)


async def _pieces(frames: AsyncGenerator[Any]) -> AsyncGenerator[bytes]:
    async with aclosing(frames):
        async for frame in frames:
            yield ensure_bytes(frame, "\n")
