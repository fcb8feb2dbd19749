"""Foreign code in threads of its own, so that a call that blocks holds up nobody but itself.

A call that is over its time is ended by an exception, which Python raises in its thread between two steps of the
interpreter. It does not reach code in C: what waits there goes on waiting, and what holds the interpreter, such as a
regular expression that backtracks without end, stops the process until its liveness probe has failed.
"""

import asyncio
import ctypes
import inspect
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from slipway_runtime.plugins.loading.failures import RAISED, PluginCallFailed

AT_ONCE = 32
"""Calls of one plugin."""
OVERDUE = 3
"""Calls of one plugin that are over their time and have not ended: while there are as many, it is left out."""
INTERRUPTIONS = 5
"""Of one call that is over its time and catches what should end it."""
INTERRUPTION_SECONDS = 1.0
"""Between two of them, and how long a coroutine may keep its event loop from others before the first."""


class OverTime(BaseException):
    """Is raised in foreign code that is over its time. `except Exception` does not catch it."""


class Isolated:
    """Calls one plugin's functions. Coroutines share one event loop, which is not that of the process.

    Args:
        name: of the plugin, for the names of threads.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._calls: list[_Call] = []
        self.loop = PluginLoop(f"plugin-{name}-loop")

    async def call(self, function: Callable[..., Any], *arguments: Any, seconds: float) -> Any:
        """What a function returns, or the coroutine that it returns.

        Raises:
            PluginCallFailed: if it raises, or takes too long.
        """
        self._calls = [each for each in self._calls if each.thread.is_alive()]
        if sum(each.late for each in self._calls) >= OVERDUE:
            raise PluginCallFailed("TimedOut", f"it is left out: {OVERDUE} calls before this one have not ended")
        if len(self._calls) >= AT_ONCE:
            raise PluginCallFailed("TimedOut", f"{AT_ONCE} calls before this one have not ended")
        call = _Call(self.name, self.loop, function, arguments)
        call.thread.start()
        self._calls.append(call)
        try:
            async with asyncio.timeout(seconds) as limit:
                return await call.result
        except TimeoutError as error:
            if limit.expired():
                call.late = True
                raise PluginCallFailed("TimedOut", f"it took longer than {seconds:g} s") from None
            raise PluginCallFailed("Raised", RAISED) from error
        except PluginCallFailed:
            raise
        except Exception as error:  # whatever foreign code raises
            raise PluginCallFailed("Raised", RAISED) from error
        finally:
            call.stop(seconds)

    def close(self) -> None:
        """End the event loop. Threads end with their calls."""
        self.loop.close()


class _Call:
    """One call, from the loop that waits for it to the thread that makes it."""

    def __init__(self, name: str, loop: "PluginLoop", function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._asking = asyncio.get_running_loop()
        self._loop = loop
        self._function = function
        self._arguments = arguments
        self._task: _Coroutine | None = None
        self.thread = threading.Thread(target=self._run, name=f"plugin-{name}", daemon=True)
        self.late = False
        """Whether it is over its time."""
        self.result: asyncio.Future[Any] = self._asking.create_future()

    def _run(self) -> None:
        try:
            result = self._function(*self._arguments)
            if inspect.isawaitable(result):
                self._task = self._loop.begin(result)
                result = self._task.result()
        except BaseException as error:  # noqa: BLE001 (the thread has nobody else to tell)
            self._tell(self.result.set_exception, error if isinstance(error, Exception) else _ended(error))
        else:
            self._tell(self.result.set_result, result)

    def stop(self, seconds: float) -> None:
        """Nobody waits for it any more: end it, at once if it is over its time, and otherwise after as many seconds."""
        if self.result.done() and not self.result.cancelled():
            return
        self.result.cancel()
        if self._task is not None:
            self._task.cancel()
        wait = 0.0 if self.late else seconds
        threading.Thread(target=self._end, args=(wait,), name=f"{self.thread.name}-end", daemon=True).start()

    def _end(self, wait: float) -> None:
        self.thread.join(wait)
        self.late = True
        for _ in range(INTERRUPTIONS):
            if not self.thread.is_alive():
                return
            if self._task is None:
                _interrupt(self.thread)
            else:
                self._task.cancel()
                self._loop.interrupt_if_stuck()
            self.thread.join(INTERRUPTION_SECONDS)

    def _tell(self, what: Callable[[Any], None], value: Any) -> None:
        def tell() -> None:
            if not self.result.done():
                what(value)

        if not self._asking.is_closed():
            self._asking.call_soon_threadsafe(tell)


class PluginLoop:
    """The event loop of a plugin, in a thread of its own, which begins with the first coroutine."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def begin(self, value: Awaitable[Any]) -> "_Coroutine":
        """Begin a coroutine."""
        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=_run, args=(self._loop,), name=self._name, daemon=True)
                self._thread.start()
            return _Coroutine(self._loop, value)

    def interrupt_if_stuck(self) -> None:
        """Raise OverTime in the coroutine that keeps the others from going on, if there is one. Waits for a second."""
        goes_on = threading.Event()
        if self._tell(goes_on.set) and not goes_on.wait(INTERRUPTION_SECONDS):
            self.interrupt()

    async def goes_on(self, seconds: float) -> bool:
        """Whether it does something else within so many seconds. True where it has not begun, or has ended."""
        here, goes_on = asyncio.get_running_loop(), asyncio.Event()
        if not self._tell(lambda: here.call_soon_threadsafe(goes_on.set)):
            return True
        try:
            async with asyncio.timeout(seconds):
                await goes_on.wait()
        except TimeoutError:
            return False
        return True

    def interrupt(self) -> None:
        """Raise OverTime in the coroutine that it is at."""
        if self._loop is not None and self._thread is not None:
            _interrupt(self._thread)

    def _tell(self, what: Callable[[], object]) -> bool:
        """Have it call something. False if there is nobody to do so."""
        loop = self._loop
        if loop is None:
            return False
        loop.call_soon_threadsafe(what)
        return True

    def close(self) -> None:
        """End it."""
        with self._starting:
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)


class _Coroutine:
    """A coroutine in the event loop of a plugin. `future` has what it gives, or is cancelled before it is over."""

    def __init__(self, loop: asyncio.AbstractEventLoop, value: Awaitable[Any]) -> None:
        self._over = threading.Event()
        self.future = asyncio.run_coroutine_threadsafe(self._awaited(value), loop)

    def result(self) -> Any:
        """What it gives, or raises, once it is over: also where it was cancelled."""
        self._over.wait()
        return self.future.result()

    def cancel(self) -> None:
        """Ask it to end."""
        self.future.cancel()

    async def _awaited(self, value: Awaitable[Any]) -> Any:
        try:
            return await value
        finally:
            self._over.set()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    """Run an event loop until it is stopped, and end what is left in it."""
    stopped = False
    while not stopped:
        try:
            loop.run_forever()
            stopped = True
        except OverTime:  # the coroutine that it was meant for has just given way
            continue
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()


def _interrupt(thread: threading.Thread) -> None:
    """Raise OverTime in a thread, when it next is in Python code."""
    assert thread.ident is not None, "it has been started"
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(OverTime))


def _ended(error: BaseException) -> PluginCallFailed:
    """For what would end the process, or a task of it."""
    failed = PluginCallFailed("Raised", RAISED)
    failed.__cause__ = error
    return failed
