"""Prometheus metrics of a process under `/metrics`, on a port of their own.

Labels are names of agents and reasons, never texts or callers. All the same they tell which agents there are and how
much they are used, so they are not where the public asks: whoever may read them is a matter of the network.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import start_http_server

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
"""Buckets, in seconds, for how long requests and runs take."""


@contextmanager
def metrics_served(port: int) -> Iterator[None]:
    """Serve all metrics of the process on this port, on every address, for as long as the block lasts.

    A thread does it, so that a scrape takes nothing from the event loop and tells of a loop that is stuck.

    Raises:
        SystemExit: if the port is taken.
    """
    every_address = "::" if socket.has_dualstack_ipv6() else "0.0.0.0"
    try:
        server, thread = start_http_server(port, addr=every_address)
    except OSError as error:
        raise SystemExit(
            f"port {port} cannot be used for metrics ({error.strerror}): set SLIPWAY_METRICS_PORT to a free one"
        ) from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
