"""A stand-in for a model provider on a loopback port, with scripted answers and named faults.

    with model_server(["Hello there.", Reply(fault="cut")]) as server:
        ...  # server.base_url for OpenAI's client, server.root for those of Anthropic, Google and Bedrock

The real SDKs ask it; what it was asked is in `server.requests`. As a process of its own, for drivers and clusters:
`python -m tests.support.model_server --port 9000 --text "An answer."`.
"""

import argparse
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, get_args
from urllib.parse import unquote

from tests.support.model_wire import Call, Fault, Parsed, Reply, Wire, resolved
from tests.support.model_wire_clouds import OPENAI, wire_of

__all__ = ["Asked", "Call", "ModelServer", "Reply", "model_server"]

HALF = ("stall", "cut", "cut_clean", "error_frame", "refusal")


@dataclass(frozen=True)
class Asked:
    """One request for an answer."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


Script = str | Reply | Sequence[str | Reply] | Callable[[Asked], str | Reply]
"""One answer for all requests, one for each in order (the last repeats), or one made from the request."""


@dataclass
class ModelServer:
    """A running server."""

    port: int
    script: Script
    key: str | None
    """The only key that it takes; None takes every one."""
    models: Sequence[str] | None
    """The models that there are; None for every one."""
    scheme: str = "http"
    requests: list[Asked] = field(default_factory=list)
    probes: list[str] = field(default_factory=list)
    """Paths of requests for descriptions of models, which cost nothing."""
    disconnects: int = 0
    """How often a client left before its answer was whole."""
    closing: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def root(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        return f"{self.root}/v1"

    def reply(self, asked: Asked) -> Reply:
        """What the next request gets."""
        with self.lock:
            self.requests.append(asked)
            number = len(self.requests) - 1
        script = self.script
        if callable(script):
            reply = script(asked)
        elif isinstance(script, str | Reply):
            reply = script
        else:
            reply = script[min(number, len(script) - 1)]
        return Reply(reply) if isinstance(reply, str) else reply


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    state: ModelServer

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base names it so)
        """Log nothing."""

    def asked_headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}

    # Descriptions of models

    def do_GET(self) -> None:
        self.state.probes.append(self.path)
        path = unquote(self.path.partition("?")[0])
        wire = wire_of(path, self.asked_headers()) or OPENAI
        _, _, name = path.partition("models/")
        if self.refused(wire, name):
            return
        if name:
            self.send(200, wire.model(name))
        else:
            self.send(200, {"object": "list", "data": [wire.model(each) for each in self.state.models or ()]})

    def refused(self, wire: Wire, model: str) -> bool:
        """Whether the key or the model was refused; then it is answered."""
        if self.state.key is not None and wire.key(self.asked_headers()) != self.state.key:
            self.send(401, wire.error(401, "the key is not valid"))
            return True
        if model and self.state.models is not None and model not in self.state.models:
            self.send(404, wire.error(404, f"there is no model {model}"))
            return True
        return False

    # Answers

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])) or b"{}")
        path = unquote(self.path)
        wire = wire_of(path, self.asked_headers())
        if wire is None:
            self.send(404, OPENAI.error(404, "there is no such path"))
            return
        parsed = wire.parse(path, body)
        asked = Asked(path, self.asked_headers(), body)
        if self.refused(wire, parsed.model):
            self.state.requests.append(asked)
            return
        try:
            self.answer(wire, self.state.reply(asked), parsed)
        except OSError:
            self.state.disconnects += 1
            self.close_connection = True

    def answer(self, wire: Wire, reply: Reply, parsed: Parsed) -> None:
        if reply.fault == "slow":
            self.state.closing.wait(reply.seconds)
        elif reply.fault == "hang":
            self.wait_for_departure()
            return
        elif reply.fault == "malformed":
            self.send_bytes(200, b"{this is no JSON", content_type="application/json")
            return
        elif reply.fault in ("rate_limited", "server_error", "overloaded", "refused_key", "unknown_model"):
            status = wire.status(reply.fault)
            headers = {"retry-after": "1"} if reply.fault == "rate_limited" else {}
            self.send(status, wire.error(status, f"scripted: {reply.fault}"), headers)
            return
        if parsed.stream:
            self.stream(wire, reply, parsed)
        else:
            self.whole(wire, reply, parsed)

    def whole(self, wire: Wire, reply: Reply, parsed: Parsed) -> None:
        if reply.fault == "refusal":
            reply = replace(reply, finish="content_filter")
        body = json.dumps(wire.whole(reply, parsed)).encode()
        if reply.fault not in ("stall", "cut", "cut_clean", "error_frame", "endless", "comments"):
            self.send_bytes(200, body, content_type="application/json")
            return
        self.head(200, {"content-type": "application/json", "content-length": str(len(body))})
        self.wfile.write(body[: len(body) // 2])
        self.wfile.flush()
        if reply.fault in ("stall", "endless", "comments"):
            self.wait_for_departure()
        else:
            self.reset()

    def stream(self, wire: Wire, reply: Reply, parsed: Parsed) -> None:
        pieces, calls = resolved(reply, parsed)
        if reply.fault == "comments":
            pieces = []
        self.head(200, {"content-type": wire.content_type, "transfer-encoding": "chunked"})
        for frame in wire.opening(reply, parsed):
            self.chunk(frame)
        if reply.fault in HALF:
            pieces = pieces[: max(1, len(pieces) // 2)]
        for piece in pieces:
            self.state.closing.wait(reply.pause)
            self.chunk(wire.piece(piece, parsed))
        self.end_stream(wire, reply, parsed, calls)

    def end_stream(self, wire: Wire, reply: Reply, parsed: Parsed, calls: Sequence[Call]) -> None:
        """What comes after the pieces, by fault."""
        if reply.fault == "endless":
            while not self.state.closing.wait(reply.seconds):
                self.chunk(wire.piece(reply.text or "again ", parsed))
        elif reply.fault == "stall":
            self.wait_for_departure()
        elif reply.fault == "comments":
            while not self.state.closing.wait(reply.seconds):
                self.chunk(b": keep-alive\n\n")
        elif reply.fault == "cut":
            self.reset()
        else:
            if reply.fault == "error_frame":
                self.chunk(wire.error_frame())
            elif reply.fault != "cut_clean":
                ending = replace(reply, finish="content_filter") if reply.fault == "refusal" else reply
                for frame in wire.ending(ending, parsed, calls):
                    self.chunk(frame)
            self.chunk(b"")

    # Bytes

    def head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def send(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        self.send_bytes(status, json.dumps(body).encode(), content_type="application/json", headers=headers)

    def send_bytes(
        self, status: int, body: bytes, *, content_type: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self.head(status, {"content-type": content_type, "content-length": str(len(body)), **(headers or {})})
        self.wfile.write(body)

    def chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def reset(self) -> None:
        """Close with a reset instead of an end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def wait_for_departure(self) -> None:
        """Say nothing until the client leaves or the server ends."""
        self.connection.settimeout(0.05)
        while not self.state.closing.is_set():
            with suppress(TimeoutError):
                if not self.connection.recv(1):
                    break
        self.close_connection = True
        if not self.state.closing.is_set():
            self.state.disconnects += 1


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is nothing to print about."""


@contextmanager
def model_server(
    script: Script,
    *,
    key: str | None = None,
    models: Sequence[str] | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
) -> Iterator[ModelServer]:
    """Serve a script, in a thread, while the block lasts."""
    server = _Server((host, port), Handler)
    state = ModelServer(0, script, key, models, scheme="https" if tls else "http")
    server.RequestHandlerClass = type("Scripted", (Handler,), {"state": state})
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--text", default="An answer [1].")
    parser.add_argument("--fault", choices=get_args(Fault))
    options = parser.parse_args()
    with model_server(Reply(options.text, fault=options.fault), port=options.port) as server:
        print(server.base_url, flush=True)  # noqa: T201
        threading.Event().wait()


if __name__ == "__main__":
    main()
