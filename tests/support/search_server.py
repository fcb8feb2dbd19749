"""A stand-in for SearXNG, Brave's and Tavily's web search on a loopback port, each in its own wire format.

The formats are those of the services' documentation (SearXNG 2025's `/search?format=json`, Brave's Web Search API v1,
Tavily's `/search` and `/usage`), errors included.
"""

import json
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Page = tuple[str, str, str]
"""Title, address and text of a page."""
PAGES: Sequence[Page] = (("Kettles", "https://tea.example/kettles", "Kettles boil water at a hundred degrees."),)
KEY = "key-1"
REFUSALS: Mapping[str, tuple[int, dict[str, Any]]] = {
    "brave": (422, {"type": "ErrorResponse", "error": {"code": "SUBSCRIPTION_TOKEN_INVALID", "status": 422}}),
    "tavily": (401, {"detail": {"error": "Unauthorized: missing or invalid API key."}}),
}


@dataclass
class SearchServer:
    """A running server. Statuses and bodies that are given are sent first, one for each request."""

    port: int = 0
    scheme: str = "http"
    pages: Sequence[Page] = PAGES
    key: str = KEY
    faults: list[int | bytes] = field(default_factory=list)
    """Next: a status, or a body in place of the answer."""
    asked: list[Mapping[str, Any]] = field(default_factory=list)
    """Service, path and query of each request."""
    keys_tried: int = 0
    """How often Tavily's service was asked about a key."""

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"


def searxng(query: str, pages: Sequence[Page]) -> dict[str, Any]:
    results = [
        {"url": url, "title": title, "content": text, "engine": "mojeek", "category": "general", "score": 1.0}
        for title, url, text in pages
    ]
    rest: dict[str, Any] = {
        "answers": [],
        "corrections": [],
        "infoboxes": [],
        "suggestions": [],
        "unresponsive_engines": [],
    }
    return {"query": query, "number_of_results": 0, "results": results, **rest}


def brave(query: str, pages: Sequence[Page]) -> dict[str, Any]:
    results = [
        {"type": "search_result", "title": title, "url": url, "description": text, "language": "en"}
        for title, url, text in pages
    ]
    return {"type": "search", "query": {"original": query}, "web": {"type": "search", "results": results}}


def tavily(query: str, pages: Sequence[Page]) -> dict[str, Any]:
    results = [
        {"title": title, "url": url, "content": text, "score": 0.9, "raw_content": None} for title, url, text in pages
    ]
    rest: dict[str, Any] = {"follow_up_questions": None, "answer": None, "images": [], "response_time": 0.5}
    return {"query": query, "results": results, **rest}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: SearchServer

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base names it so)
        """Log nothing."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/search" and query.get("format") == "json":
            self.answer("searxng", query, authorized=True)
        elif url.path == "/res/v1/web/search":
            self.answer("brave", query, authorized=self.headers.get("x-subscription-token") == self.state.key)
        elif url.path == "/usage":
            self.state.keys_tried += 1
            self.send(*(200, {"key": {"usage": 7, "limit": None}}) if self.has_key else REFUSALS["tavily"])
        else:
            self.send(404, {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.answer("tavily", body, authorized=self.has_key)

    @property
    def has_key(self) -> bool:
        return self.headers.get("authorization") == f"Bearer {self.state.key}"

    def answer(self, service: str, query: Mapping[str, Any], *, authorized: bool) -> None:
        self.state.asked.append({"service": service, **query})
        fault = self.state.faults.pop(0) if self.state.faults else None
        if isinstance(fault, bytes):
            self.send_bytes(200, fault)
        elif fault is not None:
            self.send(fault, {"detail": "scripted"})
        elif not authorized:
            self.send(*REFUSALS[service])
        else:
            wire = {"searxng": searxng, "brave": brave, "tavily": tavily}[service]
            self.send(200, wire(str(query.get("q") or query.get("query")), self.state.pages))

    def send(self, status: int, body: Mapping[str, Any]) -> None:
        self.send_bytes(status, json.dumps(body).encode())

    def send_bytes(self, status: int, body: bytes) -> None:
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("location", f"{self.state.url}/search?format=json&q=redirected")
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is nothing to print about."""


@contextmanager
def search_server(*, tls: ssl.SSLContext | None = None, **fields: Any) -> Iterator[SearchServer]:
    """Serve, in a thread, while the block lasts."""
    state = SearchServer(scheme="https" if tls else "http", **fields)
    server = _Server(("127.0.0.1", 0), type("Scripted", (Handler,), {"state": state}))
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
