"""Plugins in the local driver: the gateway calls their servers itself, with what connectors add in a cluster."""

import ssl
from collections.abc import Callable, Mapping

from slipway_crds.plugins.kind import PLUGIN
from slipway_crds.plugins.metadata import combined
from slipway_crds.plugins.model import Plugin
from slipway_crds.plugins.upstream import connector_of, server_of
from slipway_runtime.dev.kinds import LocalKind, Outcome, Report
from slipway_runtime.dev.manifests import Manifests, key_of
from slipway_runtime.dev.model_files import Missing, bundle_value, secret_value
from slipway_runtime.dev.parts import Parts
from slipway_runtime.dev.plugin_pods import ANYWHERE
from slipway_runtime.gateway.plugins.table import PluginTable
from slipway_runtime.gateway.routes import AgentAccess as Allowed
from slipway_runtime.gateway.routes import PluginKey
from slipway_runtime.plugins.credentials import Credentials
from slipway_runtime.plugins.server import ServerAccess
from slipway_runtime.plugins.watched import Report as ServerReport

HOST = "127.0.0.1"
"""Where Services are."""


class PluginStates:
    """Tells what is known of each plugin's server, at first and whenever that changes.

    Args:
        tell: gets a plugin, what is known, and whether its server is well; None while nobody knows.
    """

    def __init__(self, table: PluginTable, tell: Callable[[PluginKey, str, bool | None], None]) -> None:
        self._table = table
        self._tell = tell
        self._told: dict[PluginKey, tuple[str, bool | None]] = {}
        table.on_change = self.look

    def look(self) -> None:
        """Tell what has changed."""
        states = {key: _state(server.report) for key, server in self._table.items()}
        for key, state in states.items():
            if self._told.get(key) != state:
                self._tell(key, *state)
        self._told = states


def _state(report: ServerReport | None) -> tuple[str, bool | None]:
    if report is None:
        return "its server is being asked", None
    if report.reason or report.discovery is None:
        return f"{report.reason}, {report.error}", False
    found = report.discovery
    tools = "1 tool" if len(found.tools) == 1 else f"{len(found.tools)} tools"
    return "; ".join(filter(None, (f"{tools}, MCP {found.version}", found.note))), True


class LocalPlugins:
    """A plugin is there as soon as its manifest is."""

    def __init__(self, parts: Parts, _: str) -> None:
        self._parts = parts
        self._access: dict[PluginKey, tuple[Credentials, ServerAccess]] = {}

    def announce(self, manifests: Manifests) -> None:
        """Nothing: plugins that others refer to come with the rest."""

    async def make(self, manifests: Manifests, report: Report) -> list[Outcome]:
        """Load what a pod would in a cluster. What became of it, the gateway finds out."""
        pods = self._parts.plugin_pods
        loaded = {key_of(each): each for each in manifests.objects if isinstance(each, Plugin) and not each.spec.mcp}
        await pods.keep(loaded.keys())
        for plugin in loaded.values():
            await pods.serve(plugin, manifests)
        return []

    def exchange(self, manifests: Manifests) -> None:
        plugins = {PluginKey(*key_of(each)): each for each in manifests.objects if isinstance(each, Plugin)}
        table, routes = self._parts.gateway.plugins, self._parts.gateway.routes
        for gone, _ in table.items():
            if gone not in plugins:
                table.remove(gone)
                routes.restrict(gone, None)
        for key, plugin in plugins.items():
            routes.restrict(key, Allowed.read(plugin.spec.model_dump(mode="json", by_alias=True, include={"access"})))
            if plugin.spec.mcp:
                table.set(key, server_of(plugin, service_host=HOST), self._access_of(key, plugin, manifests))
            else:
                upstream = connector_of(plugin, self._parts.plugin_pods.url(key_of(plugin)))
                table.set(key, upstream, self._parts.plugin_pods.access(upstream))
            table.describe(key, combined(self._parts.plugin_pods.metadata(key_of(plugin)), plugin.spec.metadata))

    def _access_of(self, key: PluginKey, plugin: Plugin, manifests: Manifests) -> ServerAccess:
        """The same as before where the credentials are the same, so that connections stay."""
        credentials = _credentials(plugin, manifests, self._parts.model_files.environment)
        known = self._access.get(key)
        if known is None or known[0] != credentials:
            known = credentials, _access(credentials)
            self._access[key] = known
        return known[1]


def _access(credentials: Credentials) -> ServerAccess:
    tls = (lambda: ssl.create_default_context(cadata=credentials.authorities)) if credentials.authorities else None
    return ServerAccess(reach=ANYWHERE, headers=credentials.current, tls=tls)


def _credentials(plugin: Plugin, manifests: Manifests, environment: Mapping[str, str]) -> Credentials:
    mcp, namespace = plugin.spec.mcp, plugin.metadata.namespace
    assert mcp is not None, "what is loaded here has no server"
    where = f"Plugin {key_of(plugin)}"
    refs = {"Authorization": mcp.token_ref} if mcp.token_ref else {}
    values = {
        name: secret_value(ref, namespace, manifests, environment, lacks=f"{where}: {name} has no value")
        for name, ref in (*refs.items(), *((each.name, each.secret_ref) for each in mcp.headers))
    }
    bundle = bundle_value(mcp.tls, namespace, manifests, where) if mcp.tls else b""
    missing = [value.sentence for value in (*values.values(), bundle) if isinstance(value, Missing)]
    return Credentials(
        headers={
            name: f"Bearer {value.decode().strip()}" if name in refs else value.decode().strip()
            for name, value in values.items()
            if isinstance(value, bytes)
        },
        authorities=bundle.decode() if isinstance(bundle, bytes) else "",
        missing="; ".join(missing),
    )


ROW = LocalKind(PLUGIN, LocalPlugins)
