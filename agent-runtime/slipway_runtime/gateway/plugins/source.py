"""Plugins from Kubernetes: each Plugin's spec says where its server is, or that a connector is in front of it."""

import logging
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network

from pydantic import ValidationError

from slipway_crds.mcp_names import STATUS_FIELD
from slipway_crds.meta import API_VERSION
from slipway_crds.plugins.model import Plugin
from slipway_crds.plugins.upstream import McpUpstream, upstream_of
from slipway_runtime.addresses import AddressRule
from slipway_runtime.gateway.host_authorities import HostAuthorities
from slipway_runtime.gateway.kubernetes_api import KubernetesApi, Object
from slipway_runtime.gateway.plugins.table import PluginTable
from slipway_runtime.gateway.reflector import ObjectKey, Reflector
from slipway_runtime.gateway.routes import AgentAccess as Allowed
from slipway_runtime.gateway.routes import PluginKey, RouteTable
from slipway_runtime.identity import GATEWAY, HEADER, Signer
from slipway_runtime.plugins.audience import audience
from slipway_runtime.plugins.server import ServerAccess

log = logging.getLogger(__name__)

PLUGINS_PATH = f"/apis/{API_VERSION}/{Plugin.PLURAL}"
"""Who calls a connector. Whose call it is that is passed on, a connector need not know."""


class ClusterAccess:
    """How the gateway of a cluster reaches servers. The same for the same, so that nothing is connected to anew.

    Args:
        networks: private ones that servers may be in.
        authorities: what connectors' certificates are checked against; None where they speak no TLS.
        loopback: whether connectors are on this machine, as those of the local driver are.
    """

    def __init__(
        self,
        signer: Signer,
        networks: Sequence[IPv4Network | IPv6Network] = (),
        *,
        authorities: HostAuthorities | None = None,
        loopback: bool = False,
    ) -> None:
        self._signer = signer
        self._authorities = authorities
        self._loopback = loopback
        self._services = ServerAccess(reach=AddressRule(private=True))
        self._others = ServerAccess(reach=AddressRule(networks=tuple(networks)))
        self._connectors: dict[str, ServerAccess] = {}

    def __call__(self, upstream: McpUpstream) -> ServerAccess:
        """For one server."""
        if upstream.connector:
            return self._connectors.setdefault(upstream.key, self._connector(upstream.key))
        return self._services if upstream.in_cluster else self._others

    def _connector(self, key: str) -> ServerAccess:
        return ServerAccess(
            reach=AddressRule(private=True, loopback=self._loopback),
            headers=lambda: {HEADER: self._signer.sign(GATEWAY, audience(key))},
            current_tls=self._authorities.context if self._authorities else None,
        )


class KubernetesPlugins:
    """Keeps a table of plugins current from the API server."""

    def __init__(
        self,
        plugins: PluginTable,
        routes: RouteTable,
        access: Callable[[McpUpstream], ServerAccess],
        *,
        tls: bool = False,
    ) -> None:
        self._plugins = plugins
        self._tls = tls
        self._routes = routes
        self._access = access
        plugins.listed = False

    def reflector(self, api: KubernetesApi) -> Reflector:
        """What follows the collection."""
        return Reflector(api, PLUGINS_PATH, on_list=self.list_plugins, on_change=self.change_plugin)

    def list_plugins(self, objects: Mapping[ObjectKey, Object]) -> None:
        """Take these Plugins as all that there are."""
        kept = {PluginKey(*key): found for key, found in objects.items()}
        for gone, _ in self._plugins.items():
            if gone not in kept:
                self._remove(gone)
        for key, found in kept.items():
            self._keep(key, found)
        self._plugins.listed = True

    def change_plugin(self, key: ObjectKey, found: Object | None) -> None:
        """Take note of one Plugin's new state."""
        if found is None:
            self._remove(PluginKey(*key))
        else:
            self._keep(PluginKey(*key), found)

    def _keep(self, key: PluginKey, found: Object) -> None:
        try:
            plugin = Plugin.model_validate(found)
        except ValidationError as error:
            log.warning("a Plugin cannot be read: %s", error.errors()[0]["msg"], extra={"plugin": str(key)})
            self._remove(key)
            return
        # First who may use it: what is new must not be open to all for a moment.
        self._routes.restrict(key, Allowed.read(found.get("spec") or {}))
        upstream = upstream_of(plugin, tls=self._tls)
        created = str(found["metadata"].get("creationTimestamp") or "")
        given = str((found.get("status") or {}).get(STATUS_FIELD) or "")
        self._plugins.set(key, upstream, self._access(upstream), created=created, given=given)
        self._plugins.describe(key, plugin.status.metadata or plugin.spec.metadata)

    def _remove(self, key: PluginKey) -> None:
        self._plugins.remove(key)
        self._routes.restrict(key, None)
