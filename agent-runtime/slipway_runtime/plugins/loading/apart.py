"""End points of a plugin in its own event loop, where one that loops stops nothing else of the process."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from slipway_runtime.plugins.loading.failures import PluginCallFailed
from slipway_runtime.plugins.loading.isolation import OverTime, PluginLoop

LOOKS = 10
"""How often the event loop is looked at within the time that it may stand still."""


class Apart:
    """An application that is run in another event loop.

    Args:
        loop: the plugin's.
        seconds: how long the loop may stand still before the end point that keeps it is ended.
    """

    def __init__(self, app: ASGIApp, loop: PluginLoop, *, seconds: float) -> None:
        self._app = app
        self._loop = loop
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises PluginCallFailed: `TimedOut`, if the end point was ended."""
        here = asyncio.get_running_loop()
        answering = self._loop.begin(self._app(scope, _from(here, receive), _from(here, send)))
        watching = asyncio.create_task(self._watch())
        try:
            await asyncio.wrap_future(answering.future)
        except OverTime:
            raise PluginCallFailed("TimedOut", f"an end point kept the event loop for {self._seconds:g} s") from None
        finally:
            watching.cancel()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._seconds / LOOKS)
            if not await self._loop.goes_on(self._seconds):
                self._loop.interrupt()


def _from(loop: asyncio.AbstractEventLoop, function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """A function of one event loop, to be called in another one."""

    async def called(*arguments: Any) -> Any:
        async def call() -> Any:
            return await function(*arguments)

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call(), loop))

    return called
