"""`/livez`, `/readyz` and `/metrics` on a port of their own.

A replica that waits to become leader is ready and alive: it has nothing to watch yet.
"""

import logging

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from slipway_operator.watches import Watches

logger = logging.getLogger(__name__)


class Health:
    """What the probes answer from."""

    def __init__(self, watches: Watches) -> None:
        self._watches = watches
        self.started = False
        """This replica has come to where it leads or waits."""

    def app(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/livez", self._livez)
        application.router.add_get("/readyz", self._readyz)
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


def _answer(problem: str) -> web.Response:
    return web.json_response({"ok": not problem, "detail": problem}, status=503 if problem else 200)
