"""Prometheus metrics of a process under `/metrics`, on a port of their own.

Labels are names of agents and reasons, never texts or callers. All the same they show which agents there are and how
much they are used, so they are not where the public asks: whoever may read them is a matter of the network.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
"""Buckets, in seconds, for how long requests and runs take."""

SCRAPES_AT_ONCE = 8
"""Connections at a time; a further one ends the oldest, so that silent ones keep no Prometheus out."""
SCRAPE_SECONDS = 10.0
"""How long a connection may last."""


class _Server(ThreadingWSGIServer):
    """A thread for each scrape, of which there are few: anybody may reach the port where no policy is enforced."""

    request_queue_size = 128  # the library's 5 are soon taken by whoever connects and says nothing
    address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._since: dict[socket.socket, float] = {}
        super().__init__(*args, **kwargs)

    def process_request(self, request: Any, client_address: Any) -> None:
        if len(self._since) >= SCRAPES_AT_ONCE:
            self._end(next(iter(list(self._since))))
        self._since[request] = time.monotonic()
        super().process_request(request, client_address)

    def service_actions(self) -> None:
        """Called twice a second."""
        for request, since in list(self._since.items()):
            if time.monotonic() - since > SCRAPE_SECONDS:
                self._end(request)

    def shutdown_request(self, request: Any) -> None:
        self._since.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes, or is sent away, is nothing to print a traceback about."""

    def _end(self, request: socket.socket) -> None:
        """Let the thread of a connection read the end of it."""
        self._since.pop(request, None)
        with suppress(OSError):
            request.shutdown(socket.SHUT_RDWR)


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base names it so)
        """Log nothing."""


def _application(page: Callable[[str], bytes | None]) -> Callable[[Any, Any], Any]:
    metrics = make_wsgi_app()

    def answer(environ: Any, start_response: Any) -> Any:
        body = page(environ.get("PATH_INFO", ""))
        if body is None:
            return metrics(environ, start_response)
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    return answer


@contextmanager
def metrics_served(port: int, *, page: Callable[[str], bytes | None] = lambda _: None) -> Iterator[None]:
    """Serve all metrics of the process on this port, on every address, for as long as the block lasts.

    Args:
        page: what else there is at a path: JSON that is at hand as a whole, or None.

    A thread does it, so that a scrape takes nothing from the event loop and shows a loop that is stuck.

    Raises:
        SystemExit: if the port is taken.
    """
    every_address = "::" if socket.has_dualstack_ipv6() else "0.0.0.0"
    try:
        server = make_server(every_address, port, _application(page), _Server, _Handler)
    except OSError as error:
        raise SystemExit(
            f"port {port} cannot be used for metrics ({error.strerror}): set SLIPWAY_METRICS_PORT to a free one"
        ) from None
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
