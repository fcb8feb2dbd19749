"""End points of HTTP of a module: JSON in and JSON out."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from slipway_runtime.plugins.loading.failures import PluginCallFailed, for_callers, for_log
from slipway_runtime.plugins.loading.isolation import Isolated

log = logging.getLogger(__name__)
Ask = Callable[..., Mapping[str, Any]]


class WasmEndpoint(BaseModel):
    """An end point, as a module describes it."""

    model_config = ConfigDict(extra="forbid")

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str = Field(pattern=r"^/[a-z0-9/_.{}-]*$", max_length=200)
    openapi: dict[str, Any] = {}
    """Of its operation in the OpenAPI document."""


def router_of(endpoints: Sequence[WasmEndpoint], ask: Ask, isolated: Isolated, *, seconds: float) -> APIRouter:
    """What serves them.

    Args:
        seconds: a call's time, after which the module ends it itself.
    """
    router = APIRouter()
    for each in endpoints:
        handler = _handler(each, ask, isolated, seconds)
        extra = {"operationId": f"{each.method.lower()} {each.path}", **each.openapi}
        router.add_api_route(each.path, handler, methods=[each.method], openapi_extra=extra, response_model=None)
    return router


def _handler(
    endpoint: WasmEndpoint, ask: Ask, isolated: Isolated, seconds: float
) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def handler(request: Request) -> JSONResponse:
        return await _answered(endpoint, ask, isolated, seconds, request)

    return handler


async def _answered(
    endpoint: WasmEndpoint, ask: Ask, isolated: Isolated, seconds: float, request: Request
) -> JSONResponse:
    body = await request.body()
    try:
        given = orjson.loads(body) if body else None
    except orjson.JSONDecodeError:
        return JSONResponse({"error": "the body is no JSON"}, status_code=400)
    call = partial(
        ask,
        "http",
        method=endpoint.method,
        path=endpoint.path,
        parameters=dict(request.path_params),
        query=dict(request.query_params),
        body=given,
        caller=request.headers.get("x-slipway-caller", ""),
    )
    try:
        result = await isolated.call(call, seconds=seconds + 1)
    except PluginCallFailed as error:
        log.warning("an end point of a plugin failed: %s", for_log(error), extra={"plugin": isolated.name})
        return JSONResponse({"error": for_callers(isolated.name, error.kind)}, status_code=502)
    status = result.get("status", 200)
    known = isinstance(status, int) and 200 <= status < 600
    return JSONResponse(result.get("body"), status_code=status if known else 502)
