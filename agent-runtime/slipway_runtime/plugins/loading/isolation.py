"""Foreign code in threads of its own, so that a call that blocks holds up nobody but itself.

A loop in Python holds the interpreter too: it slows everything in the process down until the process ends.
"""

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from slipway_runtime.plugins.loading.failures import RAISED, PluginCallFailed

AT_ONCE = 32
"""Calls of one plugin. One that hangs is among them for ever, since a thread cannot be ended."""
OVERDUE = 3
"""Calls of one plugin that are over their time and have not ended: while there are as many, it is left out."""


class Isolated:
    """Calls one plugin's functions. Coroutines share one event loop, which is not that of the process.

    Args:
        name: of the plugin, for the names of threads.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._free = threading.Semaphore(AT_ONCE)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._overdue: set[_Call] = set()
        self._counting = threading.Lock()

    async def call(self, function: Callable[..., Any], *arguments: Any, seconds: float) -> Any:
        """What a function returns, or the coroutine that it returns.

        Raises:
            PluginCallFailed: if it raises, or takes too long.
        """
        if len(self._overdue) >= OVERDUE:
            raise PluginCallFailed("TimedOut", f"it is left out: {OVERDUE} calls before this one have not ended")
        if not self._free.acquire(blocking=False):
            raise PluginCallFailed("TimedOut", f"{AT_ONCE} calls before this one have not ended")
        call = _Call(asyncio.get_running_loop(), function, arguments)
        threading.Thread(target=self._work, args=(call,), name=f"plugin-{self.name}", daemon=True).start()
        try:
            async with asyncio.timeout(seconds) as limit:
                return await call.result
        except TimeoutError as error:
            if limit.expired():
                self._late(call)
                raise PluginCallFailed("TimedOut", f"it took longer than {seconds:g} s") from None
            raise PluginCallFailed("Raised", RAISED) from error
        except PluginCallFailed:
            raise
        except Exception as error:  # whatever foreign code raises
            raise PluginCallFailed("Raised", RAISED) from error
        finally:
            call.stop()

    def close(self) -> None:
        """End the event loop. Threads end with their calls."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop = None

    def _work(self, call: "_Call") -> None:
        try:
            call.run(self._coroutines)
        finally:
            with self._counting:
                call.ended = True
                self._overdue.discard(call)
            self._free.release()

    def _late(self, call: "_Call") -> None:
        with self._counting:
            if not call.ended:
                self._overdue.add(call)

    def _coroutines(self) -> asyncio.AbstractEventLoop:
        with _STARTING:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                name = f"plugin-{self.name}-loop"
                threading.Thread(target=_run, args=(self._loop,), name=name, daemon=True).start()
            return self._loop


_STARTING = threading.Lock()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    """Run an event loop until it is stopped, and end what is left in it."""
    loop.run_forever()
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()


class _Call:
    """One call, from the loop that waits for it to the thread that makes it."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, function: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> None:
        self._asking = loop
        self._function = function
        self._arguments = arguments
        self._stopping: Callable[[], object] = lambda: None
        self.ended = False
        self.result: asyncio.Future[Any] = loop.create_future()

    def run(self, coroutines: Callable[[], asyncio.AbstractEventLoop]) -> None:
        """Make it, in a thread."""
        try:
            result = self._function(*self._arguments)
            if inspect.isawaitable(result):
                future = asyncio.run_coroutine_threadsafe(_awaited(result), coroutines())
                self._stopping = future.cancel
                result = future.result()
        except BaseException as error:  # noqa: BLE001 (the thread has nobody else to tell)
            self._tell(self.result.set_exception, error if isinstance(error, Exception) else _ended(error))
        else:
            self._tell(self.result.set_result, result)

    def stop(self) -> None:
        """Nobody waits for it any more."""
        if not self.result.done():
            self.result.cancel()
        self._stopping()

    def _tell(self, what: Callable[[Any], None], value: Any) -> None:
        def tell() -> None:
            if not self.result.done():
                what(value)

        if not self._asking.is_closed():
            self._asking.call_soon_threadsafe(tell)


def _ended(error: BaseException) -> PluginCallFailed:
    """For what would end the process, or a task of it."""
    failed = PluginCallFailed("Raised", RAISED)
    failed.__cause__ = error
    return failed


async def _awaited(value: Awaitable[Any]) -> Any:
    return await value
