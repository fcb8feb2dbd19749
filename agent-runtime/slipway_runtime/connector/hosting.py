"""A plugin that this process loads and serves itself: loaded when it starts, and again when its file has changed."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from slipway_crds.contract import PLUGIN_FAILED
from slipway_crds.plugins.connector import SOURCE_FILE
from slipway_crds.plugins.metadata import PluginMetadata
from slipway_crds.plugins.model import TOOLS_SHOWN, Plugin
from slipway_runtime.connector.loaders import Surroundings, load
from slipway_runtime.plugins.discovery import MODERN
from slipway_runtime.plugins.loaded import LoadedPlugin, PluginNotLoaded

log = logging.getLogger(__name__)

LOOK_SECONDS = 15.0
SOON_SECONDS = 5.0
"""After a load that failed."""
LOAD_SECONDS = 120.0
ERROR_LENGTH = 1000
Load = Callable[[Plugin, Surroundings], Awaitable[LoadedPlugin]]


class HostedPlugin:
    """One plugin, and what is known of it."""

    def __init__(self, plugin: Plugin, surroundings: Surroundings, *, load: Load = load) -> None:
        self.plugin = plugin
        self._surroundings = surroundings
        self._load = load
        self._loaded: LoadedPlugin | None = None
        self._seen: bytes | None = None
        self._watching: asyncio.Task[None] | None = None
        self.failure: PluginNotLoaded | None = None

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.plugin.metadata.namespace}/{self.plugin.metadata.name}"

    @property
    def loaded(self) -> LoadedPlugin:
        """What it provides now. Raises PluginNotLoaded while that is nothing."""
        if self._loaded is None:
            raise self.failure or PluginNotLoaded("PluginLoading", "the plugin is being loaded: ask again in a moment")
        return self._loaded

    @property
    def metadata(self) -> PluginMetadata | None:
        """What it says of itself in its code; None where it is not loaded."""
        return self._loaded.metadata if self._loaded is not None else None

    def report(self) -> dict[str, Any]:
        """For a status, bounded whatever the plugin says; empty before the first load has ended."""
        failure, loaded = self.failure, self._loaded
        if failure is None and loaded is None:
            return {}
        told: dict[str, Any] = {
            "reason": failure.reason if failure else "",
            "error": str(failure)[:ERROR_LENGTH] if failure else "",
        }
        if loaded is not None:
            names = sorted(each.name for each in loaded.tools)
            told |= {
                "era": MODERN,
                "protocolVersion": MODERN,
                "toolCount": len(names),
                "tools": names[:TOOLS_SHOWN],
                "note": loaded.note[:ERROR_LENGTH],
                "metadata": loaded.metadata.model_dump(mode="json") if loaded.metadata else None,
            }
        return told

    def watch(self) -> None:
        """Load it, and look at its file from now on, until `close`."""
        self._watching = asyncio.create_task(self._watch())

    async def look(self) -> None:
        """Load it if it is not loaded, or its file has changed."""
        bytes_now = await asyncio.to_thread(_bytes_of, self._surroundings.folder / SOURCE_FILE)
        if self._loaded is not None and self.failure is None and bytes_now == self._seen:
            return
        self._seen = bytes_now
        try:
            async with asyncio.timeout(LOAD_SECONDS):
                fresh = await self._load(self.plugin, self._surroundings)
        except PluginNotLoaded as error:
            await self._failed(error)
        except TimeoutError:
            await self._failed(PluginNotLoaded(PLUGIN_FAILED, f"the plugin was not loaded within {LOAD_SECONDS:g} s"))
        except Exception as error:
            # Code of others runs here: whatever it raises is what is wrong with the plugin.
            log.exception("a plugin raised while it was loaded", extra={"plugin": self.key})
            await self._failed(PluginNotLoaded(PLUGIN_FAILED, f"the plugin raised {type(error).__name__}: {error}"))
        else:
            former, self._loaded, self.failure = self._loaded, fresh, None
            await _close(former)

    async def close(self) -> None:
        """Stop looking, and end the plugin."""
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
        former, self._loaded = self._loaded, None
        await _close(former)

    async def _failed(self, error: PluginNotLoaded) -> None:
        """Nothing of a plugin runs whose bytes are not the right ones, not even what was there before."""
        if self.failure is None or self.failure.reason != error.reason:
            log.warning("a plugin is not loaded: %s", error, extra={"plugin": self.key, "cause": error.reason})
        self.failure, former, self._loaded = error, self._loaded, None
        await _close(former)

    async def _watch(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep((SOON_SECONDS if self.failure else LOOK_SECONDS) * random.uniform(0.75, 1.25))


def _bytes_of(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None


async def _close(plugin: LoadedPlugin | None) -> None:
    if plugin is None:
        return
    try:
        await plugin.close()
    except Exception:
        log.exception("a plugin raised while it was closed")
