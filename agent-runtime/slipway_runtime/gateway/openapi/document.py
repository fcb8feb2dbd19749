"""The whole OpenAPI document of an application."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from slipway_runtime.gateway.openapi import events, problems, schemas
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
    return made


def _rows() -> list[str]:
    return [f"| {kind.status} | `{reason}` | {kind.title} |\n" for reason, kind in KINDS.items()]


class OpenAPIDocument:
    """The document as it is served: made when it is first asked for, and kept."""

    def __init__(self) -> None:
        self._json: bytes | None = None

    async def json(self, app: FastAPI) -> bytes:
        """The document of an application, always the same one, as JSON."""
        if self._json is None:
            self._json = await asyncio.to_thread(lambda: orjson.dumps(describe(app)))
        return self._json
