"""A WebAssembly module, called with JSON: an instance for each call, with bounds on what the call may take.

`docs/plugins.md` describes what a module exports. It imports nothing: whatever else it wants to import (files, sockets,
clocks) is there so that it loads, and ends the call that uses it.
"""

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import orjson
import wasmtime

from slipway_runtime.plugins.loading.code import CallLimits
from slipway_runtime.plugins.loading.failures import MESSAGE_CHARACTERS, PluginBroken, PluginCallFailed

MODULE_BYTES = 16 * 2**20
MESSAGE_BYTES = 8 * 2**20
"""Of a request, and of a result."""
PAGE_BYTES = 65_536
TICK_SECONDS = 0.01
"""How exactly a call's time is kept."""
STACK_BYTES = 512 * 1024
UNKNOWN_IMPORT = re.compile(r"unknown import: `([^`]*)`")
EXPORTS = {"memory": wasmtime.MemoryType, "alloc": wasmtime.FuncType, "handle": wasmtime.FuncType}


class _Clock:
    """Counts the engine's epoch while calls go on."""

    def __init__(self, engine: wasmtime.Engine) -> None:
        self._engine = engine
        self._calls = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @contextmanager
    def counting(self) -> Iterator[None]:
        """A call."""
        with self._changed:
            self._calls += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._count, name="plugin-clock", daemon=True)
                self._thread.start()
            self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._calls -= 1

    def _count(self) -> None:
        pause = threading.Event()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._calls > 0)
            self._engine.increment_epoch()
            pause.wait(TICK_SECONDS)


@cache
def _engine() -> tuple[wasmtime.Engine, _Clock]:
    """The one engine of a process."""
    config = wasmtime.Config()
    config.consume_fuel = True
    config.epoch_interruption = True
    config.max_wasm_stack = STACK_BYTES
    config.parallel_compilation = False
    engine = wasmtime.Engine(config)
    return engine, _Clock(engine)


class WasmModule:
    """A module, compiled once.

    Args:
        code: the bytes of the file.

    Raises:
        PluginBroken: if it is no module of a plugin.
    """

    def __init__(self, code: bytes, limits: CallLimits) -> None:
        if len(code) > MODULE_BYTES:
            raise PluginBroken(f"the module is larger than {MODULE_BYTES // 2**20} MiB: build it without debug symbols")
        if not code.startswith(b"\0asm"):
            raise PluginBroken("the file is no WebAssembly module: build it for wasm32-unknown-unknown")
        self._limits = limits
        self._engine, self._clock = _engine()
        try:
            self._module = wasmtime.Module(self._engine, code)
            self._linker = wasmtime.Linker(self._engine)
            self._linker.define_unknown_imports_as_traps(self._module)
        except wasmtime.WasmtimeError as error:
            raise PluginBroken(f"the module cannot be compiled: {_said(error)}") from None
        exported = {each.name: each.type for each in self._module.exports}
        for name, kind in EXPORTS.items():
            if not isinstance(exported.get(name), kind):
                raise PluginBroken(f"the module does not export {name}: see the page on plugins for what it has to")

    def call(self, request: Mapping[str, Any]) -> Any:
        """The JSON that the module gives for some JSON. Takes the thread for as long as the limits allow.

        Raises:
            PluginCallFailed: if it gives none.
        """
        message = orjson.dumps(request)
        if len(message) > MESSAGE_BYTES:
            raise PluginCallFailed("InvalidResult", f"the request has more than {MESSAGE_BYTES // 2**20} MiB")
        store = self._store()
        try:
            with self._clock.counting():
                result = self._called(store, message)
        except wasmtime.Trap as trap:
            raise self._ended_by(trap) from None
        except wasmtime.WasmtimeError as error:
            raise self._refused(error) from None
        try:
            return orjson.loads(result)
        except orjson.JSONDecodeError:
            raise PluginCallFailed("InvalidResult", "it gave no JSON") from None

    def _store(self) -> wasmtime.Store:
        limits = self._limits
        store = wasmtime.Store(self._engine)
        store.set_limits(memory_size=limits.memory_bytes, table_elements=100_000, instances=1, tables=4, memories=1)
        store.set_fuel(limits.fuel)
        store.set_epoch_deadline(max(1, round(limits.seconds / TICK_SECONDS)) + 1)
        return store

    def _called(self, store: wasmtime.Store, message: bytes) -> bytes:
        exports = self._linker.instantiate(store, self._module).exports(store)
        memory, alloc, handle = exports["memory"], exports["alloc"], exports["handle"]
        assert isinstance(memory, wasmtime.Memory)
        assert isinstance(alloc, wasmtime.Func)
        assert isinstance(handle, wasmtime.Func)
        try:
            at = alloc(store, len(message)) & 0xFFFFFFFF
            if at + len(message) > memory.data_len(store):
                raise PluginCallFailed("InvalidResult", "its alloc gave an address outside of its memory")
            memory.write(store, message, at)
            packed = handle(store, at, len(message)) & 0xFFFFFFFFFFFFFFFF
        except wasmtime.Trap as trap:
            raise self._ended_by(trap, used=memory.data_len(store)) from None
        start, size = packed >> 32, packed & 0xFFFFFFFF
        if size > MESSAGE_BYTES or start + size > memory.data_len(store):
            raise PluginCallFailed("InvalidResult", "its result is not in its memory, or longer than 8 MiB")
        return bytes(memory.read(store, start, start + size))

    def _ended_by(self, trap: wasmtime.Trap, *, used: int = 0) -> PluginCallFailed:
        limits, code = self._limits, trap.trap_code
        if code is wasmtime.TrapCode.OUT_OF_FUEL:
            return PluginCallFailed("OutOfFuel", f"it took more than {limits.fuel} instructions")
        if code is wasmtime.TrapCode.INTERRUPT:
            return PluginCallFailed("TimedOut", f"it took longer than {limits.seconds:g} s")
        if wanted := UNKNOWN_IMPORT.search(trap.message):
            return PluginCallFailed("NotAllowed", f"it called {wanted[1]}, which plugins do not have")
        # An allocator doubles what it has, so it is refused at the latest when more than half is in use.
        if code is wasmtime.TrapCode.UNREACHABLE and used > limits.memory_bytes // 2:
            return PluginCallFailed("OutOfMemory", f"it asked for more than {limits.memory_bytes // 2**20} MiB")
        return PluginCallFailed("Trapped", _said(trap))

    def _refused(self, error: wasmtime.WasmtimeError) -> PluginCallFailed:
        if wanted := UNKNOWN_IMPORT.search(str(error)):
            return PluginCallFailed("NotAllowed", f"it called {wanted[1]}, which plugins do not have")
        return PluginCallFailed("Trapped", _said(error))


def _said(error: Exception) -> str:
    """The reason alone, without a back trace."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    cause = next((line for line in reversed(lines) if "wasm trap" in line), lines[-1] if lines else "no reason")
    return cause[:MESSAGE_CHARACTERS]
