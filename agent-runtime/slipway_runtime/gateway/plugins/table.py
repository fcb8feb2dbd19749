"""Which plugins there are, and the server of each. Like the table of agents, it only ever gets what is true."""

import asyncio
from collections.abc import Callable, Mapping

import orjson

from slipway_crds.contract import PLUGINS_STATUS_PATH
from slipway_crds.plugins.metadata import PluginMetadata
from slipway_crds.plugins.upstream import McpUpstream
from slipway_runtime.gateway.routes import PluginKey
from slipway_runtime.plugins.server import ServerAccess
from slipway_runtime.plugins.watched import WatchedServer


class PluginTable:
    """Plugins with their servers, each looked at from when it is there until it goes."""

    def __init__(self) -> None:
        self._servers: dict[PluginKey, WatchedServer] = {}
        self._created: dict[PluginKey, str] = {}
        self._given: dict[PluginKey, str] = {}
        self._metadata: dict[PluginKey, PluginMetadata] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self.listed = True
        """Whether a plugin that is not here does not exist. Not so before a source that needs time has listed them."""
        self.on_change: Callable[[], None] = lambda: None
        """Called when what is known of a plugin has changed."""
        self._reports: dict[str, bytes] = {}
        """What is known of each server, by path. Read by another thread, and so exchanged whole."""

    def set(
        self, key: PluginKey, upstream: McpUpstream, access: ServerAccess, *, created: str = "", given: str = ""
    ) -> None:
        """The plugin exists, and this is its server. One that stays the same keeps its connections.

        Args:
            created: when the object was made (RFC 3339); empty where nobody knows.
            given: what its tools' names begin with on the federated server; empty where its status does not say.
        """
        self._created[key], self._given[key] = created, given
        known = self._servers.get(key)
        if known is not None and known.upstream == upstream and known.access == access:
            return
        self.remove(key)
        server = WatchedServer(upstream, access, changed=self._changed)
        server.watch()
        self._servers[key] = server
        self._changed()

    def remove(self, key: PluginKey) -> None:
        """The plugin is no more. Calls that are under way end."""
        if (server := self._servers.pop(key, None)) is not None:
            self._metadata.pop(key, None)
            closing = asyncio.create_task(server.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            self._changed()

    def describe(self, key: PluginKey, metadata: PluginMetadata | None) -> None:
        """What a plugin says of itself; None if it says nothing."""
        self._metadata.pop(key, None)
        if metadata is not None:
            self._metadata[key] = metadata

    def described(self) -> list[tuple[PluginKey, PluginMetadata | None]]:
        """All plugins with what they say of themselves, sorted by namespace and name."""
        return [(key, self._metadata.get(key)) for key in sorted(self._servers)]

    def keep(self, keys: Mapping[PluginKey, object]) -> None:
        """Of the plugins, only these exist."""
        for gone in self._servers.keys() - keys.keys():
            self.remove(gone)

    def created(self, key: PluginKey) -> str:
        """When a plugin was made."""
        return self._created.get(key, "")

    def given(self, key: PluginKey) -> str:
        """What the names of its tools begin with on the federated server; empty where nobody has said."""
        return self._given.get(key, "")

    def get(self, key: PluginKey) -> WatchedServer | None:
        """The plugin's server; None if there is no such plugin."""
        return self._servers.get(key)

    def items(self) -> list[tuple[PluginKey, WatchedServer]]:
        """All plugins, sorted by namespace and name."""
        return sorted(self._servers.items())

    def status_at(self, path: str) -> bytes | None:
        """What is known of the server of a plugin, as JSON; None for any path but a plugin's. For any thread."""
        if path.startswith(f"{PLUGINS_STATUS_PATH}/"):
            return self._reports.get(path, b"{}")
        return None

    async def aclose(self) -> None:
        """Close all connections."""
        for key in list(self._servers):
            self.remove(key)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _changed(self) -> None:
        self._reports = {
            f"{PLUGINS_STATUS_PATH}/{key}": orjson.dumps(report.to_json())
            for key, server in self._servers.items()
            if (report := server.report) is not None
        }
        self.on_change()
