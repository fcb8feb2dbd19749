"""A web server that shuts down without failing a request.

On SIGTERM it says that it drains and goes on accepting for a moment, since others in the cluster learn of it with a
delay; what comes then is refused by the application, so that the gateway tries the next pod. It stops when nothing is
under way any more, or when its time is up. A second signal, or Ctrl-C, stops it at once.
"""

import asyncio
import gc
import logging
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from slipway_runtime.bounded_http import bounded
from slipway_runtime.http_limits import HttpLimits

LINGER_SECONDS = 3.0
"""How long it still accepts, to refuse, after it began to drain."""
CHECK_SECONDS = 0.1
HANDSHAKE_SECONDS = 10.0
log = logging.getLogger(__name__)


class DrainingServer(uvicorn.Server):
    """A server that drains on SIGTERM and ends by returning, so that what comes after it (the last traces) happens.

    Args:
        drain: called once when draining begins; readiness should turn off.
        busy: how many things are under way that should be finished.
        grace: seconds to wait for them at most.
        tls: a further port, which speaks TLS with this context.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        drain: Callable[[], None],
        busy: Callable[[], int],
        grace: float,
        tls: tuple[int, ssl.SSLContext] | None = None,
    ) -> None:
        super().__init__(config)
        self._tls = tls
        self._drain = drain
        self._busy = busy
        self._grace = grace
        self._draining: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, at the further port too."""
        await super().startup(sockets)
        if self._tls is None or not self.started:
            return
        port, context = self._tls
        listening = await asyncio.get_running_loop().create_server(
            self._new_connection,
            host="",
            port=port,
            ssl=context,
            backlog=self.config.backlog,
            ssl_handshake_timeout=HANDSHAKE_SECONDS,
        )
        self.servers.append(listening)

    def _new_connection(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take signals through the event loop; uvicorn's own way would raise them again at the end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def _stop(self, number: int) -> None:
        if self._draining or number == signal.SIGINT:
            self.force_exit = self.should_exit
            self.should_exit = True
            return
        log.info("draining", extra={"busy": self._busy()})
        self._drain()
        self._draining = asyncio.create_task(self._finish())

    async def _finish(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while loop.time() - began < self._grace:
            if not self._busy() and loop.time() - began >= LINGER_SECONDS:
                break
            await asyncio.sleep(CHECK_SECONDS)
        log.info("stopping", extra={"busy": self._busy(), "drained_for": round(loop.time() - began, 1)})
        self.should_exit = True


def server_config(
    app: ASGIApp, *, port: int, lifespan: bool, limits: HttpLimits | None = None, stop_seconds: int = 5
) -> uvicorn.Config:
    """How a process of the runtime is served.

    Args:
        lifespan: whether the application has something to do before the first and after the last request.
        limits: what a connection may send; the usual bounds if not given.
        stop_seconds: how long open requests may still take once it stops.
    """
    return uvicorn.Config(
        app,
        host="",  # every address, of both families
        port=port,
        http=bounded(limits or HttpLimits()),
        ws="none",
        lifespan="on" if lifespan else "off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=75,  # longer than the gateway keeps an idle connection, so that it never sends into a close
        timeout_graceful_shutdown=stop_seconds,
    )


def tame_garbage_collection() -> None:
    """Leave what start-up made out of collections, which otherwise stop the process for 100 ms every now and then.

    What is thrown away after each request is freed without them, so they are rare.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
