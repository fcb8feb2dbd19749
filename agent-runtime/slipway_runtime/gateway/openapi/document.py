"""The whole OpenAPI document of an application."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from slipway_crds.plugins.metadata import PluginMetadata
from slipway_runtime.gateway.openapi import events, problems, schemas
from slipway_runtime.gateway.openapi.plugins import FIELD, plugin_fields
from slipway_runtime.gateway.routes import PluginKey
from slipway_runtime.problems import KINDS

TITLE = "Slipway"
DESCRIPTION = """Ask agents, follow their runs, and read their sessions.

Send the API key as `X-API-Key: KEY` or as `Authorization: Bearer KEY`. Errors are `application/problem+json`
(RFC 9457): `detail` says what to do, and `reason` is stable.

| Code | Reason | Meaning |
|---|---|---|
"""
SCHEMES: Mapping[str, Any] = {
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}


def describe(app: FastAPI) -> dict[str, Any]:
    """The document as JSON data. The same for every gateway of a version, whatever its settings."""
    made: dict[str, Any] = get_openapi(
        title=TITLE,
        version="v1",
        description=DESCRIPTION + "".join(_rows()),
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        routes=app.routes,
    )
    made["components"] = {
        **made.get("components", {}),
        "securitySchemes": dict(SCHEMES),
        "examples": problems.examples(),
        "schemas": events.schemas(schemas.definitions()),
    }
    made[FIELD] = []
    return made


def _rows() -> list[str]:
    return [f"| {kind.status} | `{reason}` | {kind.title} |\n" for reason, kind in KINDS.items()]


class OpenAPIDocument:
    """The document as it is served: made when it is first asked for, and kept. Plugins come and go."""

    def __init__(self) -> None:
        self._document: dict[str, Any] | None = None

    async def json(self, app: FastAPI, plugins: Iterable[tuple[PluginKey, PluginMetadata | None]]) -> bytes:
        """The document of an application, always the same one, as JSON.

        Args:
            plugins: those that its reader may use, sorted.
        """
        if self._document is None:
            self._document = await asyncio.to_thread(describe, app)
        document, fields = self._document, plugin_fields(plugins)
        return await asyncio.to_thread(lambda: orjson.dumps({**fields, **document, FIELD: fields[FIELD]}))
