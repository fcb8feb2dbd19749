"""The HTTP end points of a plugin as an application, with a document of its own at `/openapi.json`."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI

from slipway_runtime.plugins.loading.failures import PluginBroken

RESERVED = ("/mcp", "/openapi.json")
"""Paths that are Slipway's."""


def http_app(name: str, routers: Sequence[APIRouter], extensions: dict[str, Any], *, version: str = "") -> FastAPI:
    """The application.

    Args:
        extensions: of the document, by names that begin with `x-`.

    Raises:
        PluginBroken: if it claims a path of Slipway's, or its document cannot be made.
    """
    app = FastAPI(title=name, version=version or "0", docs_url=None, redoc_url=None)
    for each in routers:
        app.include_router(each)
    document = app.openapi()  # kept by the application, and served
    if claimed := next((path for path in document["paths"] if path.rstrip("/") in RESERVED), None):
        raise PluginBroken(f"it has an end point at {claimed}, which is Slipway's: give it another path")
    document |= extensions
    return app
