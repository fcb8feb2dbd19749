"""One look at a Plugin: ask who has looked at its server, plan, carry out."""

import time

from slipway_crds.contract import CONNECTOR_STATUS_PATH, HTTP_PORT, PLUGINS_STATUS_PATH, connector_name
from slipway_crds.plugins.connector import version_of
from slipway_crds.plugins.dependencies import dependencies_of, dependency_problems
from slipway_crds.plugins.kind import PLUGIN
from slipway_crds.plugins.metadata import PluginMetadata, combined
from slipway_crds.plugins.model import Plugin
from slipway_crds.references import Ref
from slipway_operator.controllers import DependentController, KindController, RunningController
from slipway_operator.core.cache import ResourceKey
from slipway_operator.core.namespaces import Namespace
from slipway_operator.core.objects import DEPLOYMENT
from slipway_operator.core.peek import json_at
from slipway_operator.core.projections import DeploymentState, PodState
from slipway_operator.opening import model_to_act_on, namespace_to_act_in
from slipway_operator.plugins.builders import uses_store
from slipway_operator.plugins.plan import PluginView, plan_plugin
from slipway_operator.plugins.reports import ServerReport, read_report
from slipway_operator.plugins.users import PluginUser, user_of

AGENT = "Agent"


class PluginController(DependentController):
    """Makes Plugins real."""

    async def reconcile(self, key: ResourceKey) -> float | None:
        """Look once. Returns in how many seconds to look again.

        Raises:
            ApiError: if the API server refuses or is unavailable; the caller tries again later.
        """
        resource = self._cache.resource(key)
        if resource is None or resource.deleting_since:
            return None
        now = time.time()
        plugin = await model_to_act_on(self._executor, resource, Plugin, now=now)
        namespace = await namespace_to_act_in(self._executor, self._store, resource, now=now) if plugin else None
        if plugin is None or namespace is None:
            return None
        connector = plugin.spec.needs_connector
        if connector:
            await self._identity.publish(key.namespace)
            if self._certificates is not None:
                await self._certificates.issue(key.namespace)
        report = await (self._connectors(key) if connector else self._gateways(key))
        known = report.metadata if report is not None else PLUGIN.facts(resource.status)["metadata"]
        metadata = combined(known, plugin.spec.metadata)
        view = PluginView(
            resource=resource,
            plugin=plugin,
            children=self._cache.children(key),
            report=report,
            metadata=metadata,
            dependencies=dependency_problems(key.name, self._needed(key, metadata)),
            users=self._users(key, plugin),
            store_secret=self._store.access(namespace).secret_name,
            store_problem=await self._store_problem(key, namespace) if uses_store(plugin) else "",
        )
        plan = plan_plugin(view, self._build, gateway_url=self._settings.gateway_url, now=now)
        return await self._executor.execute(resource, self._names.named(resource, plan), now=now)

    async def _store_problem(self, key: ResourceKey, namespace: Namespace) -> str:
        """What is the matter with the store. It is asked while the plugin's pod does not run."""
        deployment = self._cache.child(DEPLOYMENT.name, key.namespace, connector_name(key.name))
        state = deployment.detail if deployment is not None else None
        if isinstance(state, DeploymentState) and state.complete and self._store.ready(namespace):
            return ""
        return await self._store.problem(namespace)

    def _users(self, key: ResourceKey, plugin: Plugin) -> tuple[PluginUser, ...]:
        version = version_of(plugin)
        agents = [self._cache.resource(each) for each in self._cache.referrers(key) if each.kind == AGENT]
        return tuple(
            user_of(agent, self._cache.children(agent.key), plugin=key.name, version=version)
            for agent in agents
            if agent is not None and not agent.deleting_since
        )

    def _needed(self, key: ResourceKey, metadata: PluginMetadata | None) -> dict[str, PluginMetadata | None]:
        """A Plugin and all that it needs, also through others, by name: those that are there."""
        found, names = {key.name: metadata}, list(dependencies_of(metadata))
        while names:
            name = names.pop()
            other = self._cache.look(Ref(PLUGIN.name, key.namespace, name))
            if name in found or not other.exists:
                continue
            manifest = other.model.spec.metadata if isinstance(other.model, Plugin) else None
            found[name] = combined(other.facts["metadata"], manifest)
            names += dependencies_of(found[name])
        return found

    async def _gateways(self, key: ResourceKey) -> ServerReport | None:
        url = f"{self._settings.gateway_status_url.rstrip('/')}{PLUGINS_STATUS_PATH}/{key.namespace}/{key.name}"
        return read_report(await json_at(self._http, url))

    async def _connectors(self, key: ResourceKey) -> ServerReport | None:
        """Of the newest connector's pod that is ready."""
        pods = [
            (child.created, child.name, child.detail.ip)
            for child in self._cache.children(key)
            if isinstance(child.detail, PodState) and child.detail.ready and child.detail.ip and not child.deleting
            if not child.detail.job
        ]
        if not pods:
            return None
        ip = max(pods)[2]
        host = f"[{ip}]" if ":" in ip else ip
        return read_report(await json_at(self._http, f"http://{host}:{HTTP_PORT}{CONNECTOR_STATUS_PATH}"))


ROW = KindController(PLUGIN, lambda dependencies: RunningController(PluginController(dependencies).reconcile))
