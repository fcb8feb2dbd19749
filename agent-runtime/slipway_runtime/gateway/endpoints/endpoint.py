"""One row of a protocol's table of paths."""

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from slipway_runtime.gateway.hosted_path import HostedPath
from slipway_runtime.gateway.openapi.operations import Operation

Handler = Callable[[Request], Response | Awaitable[Response]]


class RawRoute(APIRoute):
    """A path whose handler takes the raw request and nothing else, so that FastAPI has nothing to look for in it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return handler


@dataclass(frozen=True)
class Endpoint:
    """What answers one path.

    Args:
        methods: one of them where there is an operation.
        path: as FastAPI takes it, with parameters in braces.
        operation: what the OpenAPI document says; None keeps the path out of the document.
    """

    methods: str | tuple[str, ...]
    path: str
    handler: Handler
    operation: Operation | None = None

    def add_to(self, app: FastAPI) -> None:
        """Serve it."""
        methods = [self.methods] if isinstance(self.methods, str) else [*self.methods]
        hidden: dict[str, Any] = {"include_in_schema": False, "response_model": None}
        if self.operation is None:
            self._add(app, methods, **hidden)
            return
        self._add(app, methods, **self.operation.options())
        if self.operation.head:
            self._add(app, ["HEAD"], **hidden)

    def _add(self, app: FastAPI, methods: list[str], **options: Any) -> None:
        raw = RawRoute if inspect.iscoroutinefunction(self.handler) else None  # FastAPI runs the others in threads
        app.router.add_api_route(self.path, self.handler, methods=methods, route_class_override=raw, **options)


def answered_by(path: HostedPath) -> Handler:
    """A handler for FastAPI, which sees the raw request only: bounds come before anything is read."""

    async def handler(_: Request) -> Response:
        return path

    return handler
