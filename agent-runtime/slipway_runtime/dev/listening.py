"""Listening on this machine: sockets, and applications behind them that end with the driver."""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp

from slipway_runtime.serving import server_config

ADDRESS = "127.0.0.1"
STOP_SECONDS = 3
"""How long open requests may still take after Ctrl-C."""


class PortTaken(Exception):
    """Something else listens there; the text says what to do."""


@contextmanager
def bound(port: int, *, host: str = ADDRESS) -> Iterator[socket.socket]:
    """A listening socket; port 0 takes any.

    Raises:
        PortTaken: if there is none to be had.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((host, port))
        except OSError as error:
            raise PortTaken(f"{host}:{port} cannot be used ({error.strerror}): give another --port") from error
        made.listen(2048)
        made.setblocking(False)
        yield made


def url_of(listening: socket.socket) -> str:
    """Where a listening socket is reached from this machine."""
    host, port = listening.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = ADDRESS
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """Signals are the driver's own matter: all of its servers stop together."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(app: ASGIApp, listening: socket.socket, *, lifespan: bool) -> AsyncIterator[None]:
    """Serve an application for as long as the block lasts."""
    config = server_config(app, port=0, lifespan=lifespan, stop_seconds=STOP_SECONDS)
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield
    finally:
        server.should_exit = True
        await task
