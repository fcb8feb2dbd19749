"""One row of a protocol's table of paths."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from slipway_runtime.gateway.hosted_path import HostedPath
from slipway_runtime.gateway.openapi.operations import Operation

Handler = Callable[[Request], Response | Awaitable[Response]]


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
            app.add_api_route(self.path, self.handler, methods=methods, **hidden)
            return
        app.add_api_route(self.path, self.handler, methods=methods, **self.operation.options())
        if self.operation.head:
            app.add_api_route(self.path, self.handler, methods=["HEAD"], **hidden)


def answered_by(path: HostedPath) -> Handler:
    """A handler for FastAPI, which sees the raw request only: bounds come before anything is read."""

    async def handler(_: Request) -> Response:
        return path

    return handler
