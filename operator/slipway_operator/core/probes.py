"""`/livez`, `/readyz` and `/metrics` on a port of their own.

A replica that waits to become leader is ready and alive: it has nothing to watch yet.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from slipway_crds.contract import LIVEZ, READYZ
from slipway_operator.core.watches import Watches

logger = logging.getLogger(__name__)

BOUNDS: dict[str, Any] = {"max_line_size": 4096, "max_field_size": 4096, "max_headers": 32, "keepalive_timeout": 10.0}
"""What a request to this port may be: bytes of its first line and of a header, headers, and the seconds in which a
connection must bring one. Anybody in the cluster may reach the port where NetworkPolicies are not enforced, and aiohttp
alone would keep silent connections for an hour, each with up to 1 MB of headers."""
CONNECTIONS = 100
"""Connections at a time; beyond that the oldest ones are closed."""
SWEEP_SECONDS = 0.5
UNREAD_MILLISECONDS = 10_000
"""How long a client may read nothing of its answer."""


class Health:
    """What the probes answer from."""

    def __init__(self, watches: Watches) -> None:
        self._watches = watches
        self.started = False
        """This replica has come to where it leads or waits."""

    def app(self) -> web.Application:
        application = web.Application()
        application.router.add_get(LIVEZ, self._livez)
        application.router.add_get(READYZ, self._readyz)
        application.router.add_get("/metrics", self._metrics)
        return application

    async def _livez(self, _: web.Request) -> web.Response:
        problem = self._watches.stalled()
        if problem:
            logger.error("watching has stalled: %s", problem)
        return _answer(problem)

    async def _readyz(self, _: web.Request) -> web.Response:
        return _answer(self._watches.stalled() or ("" if self.started else "the API server was not reached yet"))

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


@contextlib.asynccontextmanager
async def served(health: Health, port: int) -> AsyncIterator[None]:
    """Serve the probes on every address for as long as the block lasts."""
    runner = web.AppRunner(health.app(), access_log=None, **BOUNDS)
    await runner.setup()
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    with socket.create_server(("", port), family=family, dualstack_ipv6=both) as listener:
        if option := getattr(socket, "TCP_USER_TIMEOUT", None):  # inherited by every connection
            listener.setsockopt(socket.IPPROTO_TCP, option, UNREAD_MILLISECONDS)
        await web.SockSite(runner, listener).start()
        sweeping = asyncio.create_task(_sweep_forever(runner))
        try:
            yield
        finally:
            sweeping.cancel()
            await runner.cleanup()


async def _sweep_forever(runner: web.AppRunner) -> None:
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        assert runner.server is not None
        for connection in runner.server.connections[:-CONNECTIONS]:
            connection.force_close()


def _answer(problem: str) -> web.Response:
    return web.json_response({"ok": not problem, "detail": problem}, status=503 if problem else 200)
