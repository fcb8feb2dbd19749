"""A small HTTP API with everything that an OpenAPI document may ask of its caller, and the document."""

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

DOCUMENT: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "Shop", "version": "1"},
    "servers": [{"url": "https://elsewhere.example.com"}],
    "paths": {
        "/orders/{id}": {
            "parameters": [{"$ref": "#/components/parameters/Id"}],
            "get": {
                "operationId": "getOrder",
                "summary": "One order.",
                "parameters": [
                    {"name": "fields", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
                    {"name": "filter", "in": "query", "style": "deepObject", "schema": {"type": "object"}},
                    {"name": "X-Tenant", "in": "header", "schema": {"type": "string"}},
                    {"name": "Authorization", "in": "header", "schema": {"type": "string"}},
                ],
            },
            "delete": {},
        },
        "/orders": {
            "post": {
                "operationId": "create order!",
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}},
                },
            }
        },
        "/page": {"get": {"operationId": "page"}},
        "/long": {"get": {"operationId": "long"}},
        "/slow": {"get": {"operationId": "slow"}},
        "/broken": {"get": {"operationId": "broken"}},
        "/away": {"get": {"operationId": "away"}},
        "/picture": {
            "get": {"operationId": "picture"},
            "post": {
                "operationId": "upload",
                "requestBody": {"required": True, "content": {"image/png": {}}},
            },
        },
    },
    "components": {
        "parameters": {"Id": {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}},
        "schemas": {
            "Order": {
                "type": "object",
                "required": ["id", "item"],
                "properties": {
                    "id": {"type": "string", "readOnly": True},
                    "item": {"type": "string", "nullable": True, "example": "tea"},
                    "count": {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
                    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Order"}},
                },
            }
        },
    },
}


class ShopApi:
    """The API, and what it was asked."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        self.app = Starlette(
            routes=[
                Route("/page", lambda _: HTMLResponse("<html><script>x()</script><h1>Log in</h1></html>")),
                Route("/long", lambda _: Response(b"x" * 10 * 2**20, media_type="text/plain")),
                Route("/slow", self._slow),
                Route("/broken", lambda _: JSONResponse({"detail": "no such thing"}, 404)),
                Route("/away", lambda _: RedirectResponse("http://169.254.169.254/")),
                Route("/picture", lambda _: Response(b"\x89PNG", media_type="image/png")),
                Route("/{path:path}", self._told, methods=["GET", "POST", "DELETE"]),
            ]
        )

    async def _told(self, request: Request) -> Response:
        body = await request.json() if await request.body() else None
        raw = request.scope["raw_path"].decode()
        query = request.scope["query_string"].decode()
        self.requests.append((request.method, raw + (f"?{query}" if query else ""), dict(request.headers), body))
        return JSONResponse({"path": raw})

    async def _slow(self, request: Request) -> Response:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        return Response()
