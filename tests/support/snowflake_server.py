"""Snowflake on this machine: fakesnow's server, and Cortex Search added to it, for the real clients.

fakesnow knows no statement of Cortex Search: they are rewritten before it sees them. A search compares words, which is
no embedding, but narrows and ranks.
"""

import gzip
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import uvicorn
from fakesnow.instance import FakeSnow
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Json = dict[str, Any]
FAKESNOW: Any = import_module("fakesnow.server")
SERVICE = re.compile(r"CORTEX SEARCH SERVICE (?:IF (?:NOT )?EXISTS )?([\w.]+)")
SOURCE = re.compile(r"AS \(SELECT ID, TEXT, TERMS FROM ([\w.]+)\)")


class SnowflakeServer:
    """Its state; `running` starts it."""

    def __init__(self) -> None:
        self.services: dict[str, str] = {}
        """The table of each, by full names."""
        self.statements: list[str] = []
        self.failures: list[int] = []
        """The next statements get these statuses."""
        self.search_failures: list[int] = []
        """The next searches likewise."""
        self.token = "right"
        self.port = 0
        self.lag = False
        """Whether services have read nothing of their tables yet."""

    async def sign_in(self, request: Request) -> Response:
        body = await _body(request)
        if body["data"].get("TOKEN", self.token) != self.token:
            words = "Programmatic access token is invalid."
            return JSONResponse({"data": None, "code": "394400", "message": words, "success": False})
        answer: Response = await FAKESNOW.login_request(request)
        return answer

    async def statement(self, request: Request) -> Response:
        if self.failures:
            return Response(status_code=self.failures.pop(0))
        body = await _body(request)
        self.statements.append(body["sqlText"])
        body["sqlText"] = self._without_cortex(body["sqlText"])

        async def receive() -> Json:
            return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}

        scope = dict(request.scope)
        scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"content-encoding"]
        answer: Response = await FAKESNOW.query_request(Request(scope, receive))
        return answer

    def _without_cortex(self, sql: str) -> str:
        if "CLIENT_VERSION_INFO" in sql.upper():
            return "SELECT '[]'"
        found = SERVICE.search(sql)
        if found is None:
            return sql
        name = found[1]
        if sql.startswith("CREATE"):
            source = SOURCE.search(sql)
            assert source is not None, sql
            assert "TARGET_LAG = '" in sql
            self.services.setdefault(name, source[1])
        elif sql.startswith("DROP"):
            self.services.pop(name, None)
        else:
            rows = "0" if self.lag else f"(SELECT COUNT(*) FROM {self.services[name]})"
            return f"SELECT '{name}' AS NAME, {rows} AS SOURCE_DATA_NUM_ROWS"
        return "SELECT 'done'"

    async def search(self, request: Request) -> Response:
        if self.search_failures:
            return JSONResponse({"message": "provoked"}, status_code=self.search_failures.pop(0))
        place = request.path_params
        table = self.services.get(f"{place['database']}.{place['schema']}.{place['name']}")
        if table is None:
            return JSONResponse({"message": "no such service", "code": "390404"}, status_code=404)
        asked = await _body(request)
        connection = FAKESNOW.shared_fs.connect(place["database"], place["schema"])
        rows = connection.cursor().execute(f"SELECT ID, TEXT, TERMS FROM {table}").fetchall()
        words = set(asked["query"].lower().split())
        found = [
            {"ID": id_, "@scores": {"cosine_similarity": _overlap(words, text)}}
            for id_, text, terms in rows
            if matches(asked.get("filter") or {}, json.loads(terms))
        ]
        found.sort(key=lambda row: -row["@scores"]["cosine_similarity"])
        return JSONResponse({"results": found[: asked["limit"]], "request_id": "1"})

    def app(self) -> Starlette:
        """The application."""
        path = "/api/v2/databases/{database}/schemas/{schema}/cortex-search-services/{name}:query"
        routes = [
            Route("/session/v1/login-request", self.sign_in, methods=["POST"]),
            Route("/queries/v1/query-request", self.statement, methods=["POST"]),
            Route(path, self.search, methods=["POST"]),
            *FAKESNOW.routes,
        ]
        return Starlette(routes=routes)


def _overlap(words: set[str], text: str) -> float:
    own = set(text.lower().split())
    return len(words & own) / (len(words | own) or 1)


def matches(clause: Json, terms: list[str]) -> bool:
    """Whether a row passes a filter, as the service's documentation of filters says."""
    for op, value in clause.items():
        passes = {
            "@and": lambda value: all(matches(part, terms) for part in value),
            "@or": lambda value: any(matches(part, terms) for part in value),
            "@not": lambda value: not matches(value, terms),
            "@contains": lambda value: all(term in terms for term in value.values()),
        }[op](value)
        if not passes:
            return False
    return True


async def _body(request: Request) -> Json:
    body = await request.body()
    if request.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    return dict(json.loads(body))


@contextmanager
def running() -> Iterator[SnowflakeServer]:
    """A server with a database and a schema, `SLIPWAY.KNOWLEDGE`."""
    FAKESNOW.shared_fs = FakeSnow()
    for statement in ("CREATE DATABASE SLIPWAY", "CREATE SCHEMA SLIPWAY.KNOWLEDGE"):
        FAKESNOW.shared_fs.connect().cursor().execute(statement)
    state = SnowflakeServer()
    server = uvicorn.Server(uvicorn.Config(state.app(), host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    listening = server.config.bind_socket()
    state.port = listening.getsockname()[1]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield state
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
