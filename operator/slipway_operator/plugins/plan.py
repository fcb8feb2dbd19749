"""What a Plugin needs done now: its connector, where it has one, and what its status says."""

from dataclasses import dataclass

from slipway_crds.contract import PLUGIN_PATH, connector_name
from slipway_crds.plugins.connector import connector_config, version_of
from slipway_crds.plugins.dependencies import DependencyProblem
from slipway_crds.plugins.metadata import PluginMetadata
from slipway_crds.plugins.model import Plugin
from slipway_operator.core.conditions import Trouble
from slipway_operator.core.inputs import BuildSettings
from slipway_operator.core.manifests import Manifest
from slipway_operator.core.objects import DEPLOYMENT, JOB
from slipway_operator.core.plan import Delete, Plan, View, changes, owner_of
from slipway_operator.core.pod_trouble import refused, trouble_of
from slipway_operator.core.projections import Child, DeploymentState, PodState
from slipway_operator.plugins.builders import connector_objects
from slipway_operator.plugins.reports import ServerReport
from slipway_operator.plugins.status import PluginStanding, plugin_status
from slipway_operator.plugins.users import PluginUser
from slipway_operator.plugins.verification import Verification, verification_objects, verification_of

LARGEST = 100_000
"""Bytes of a spec, which pods get as an environment variable: Linux takes 128 KiB."""


@dataclass(frozen=True, kw_only=True)
class PluginView(View):
    """A Plugin with everything that the decision depends on."""

    plugin: Plugin
    report: ServerReport | None = None
    """What was found out of its server."""
    metadata: PluginMetadata | None = None
    """What is known of the plugin."""
    dependencies: tuple[DependencyProblem, ...] = ()
    users: tuple[PluginUser, ...] = ()
    """The agents that refer to it."""
    store_secret: str = ""
    """Of the namespace's login to the store."""
    store_problem: str = ""

    @property
    def deployment(self) -> DeploymentState | None:
        """How the connector does."""
        found = self.by_kind_and_name.get((DEPLOYMENT.name, connector_name(self.resource.key.name)))
        return found.detail if found is not None and isinstance(found.detail, DeploymentState) else None

    @property
    def pods(self) -> list[Child]:
        """Of the connector."""
        return [each for each in self.children if isinstance(each.detail, PodState) and not each.detail.job]


def plan_plugin(view: PluginView, settings: BuildSettings, *, gateway_url: str, now: float) -> Plan:
    """Everything that is to be done for a Plugin now. Nothing, if it is as it should be."""
    key, connector = view.resource.key, view.plugin.spec.needs_connector
    deployment, too_large = view.deployment, _too_large(view.plugin) if connector else None
    verification = verification_of(view.plugin, view.children, now=now)
    manifests = _manifests(view, settings, verification) if too_large is None else []
    status, wake_after = plugin_status(
        PluginStanding(
            resource=view.resource,
            url=gateway_url.rstrip("/") + PLUGIN_PATH.format(namespace=key.namespace, name=key.name),
            report=view.report,
            connector=connector,
            available=not connector or (deployment is not None and deployment.available > 0),
            trouble=too_large or verification.failure or (_trouble(view, settings, now) if connector else None),
            verified=verification.passed and too_large is None,
            metadata=view.metadata,
            dependencies=view.dependencies,
            version=version_of(view.plugin),
            users=view.users,
            store_problem=view.store_problem,
        ),
        now=now,
    )
    return Plan(
        apply=tuple(changes(manifests, view.by_kind_and_name, view.resource.uid)),
        delete=tuple(_unwanted(view, manifests, verification)),
        status=status,
        wake_after=wake_after,
    )


def _manifests(view: PluginView, settings: BuildSettings, verification: Verification) -> list[Manifest]:
    """Everything that should be there now."""
    owner = owner_of(view.resource)
    manifests: list[Manifest] = []
    if view.plugin.spec.needs_connector:
        manifests = connector_objects(owner, settings, view.plugin, store_secret=view.store_secret)
    # What serves goes on: others may use it. What was never started waits for the plugins that it needs.
    waits = view.deployment is None and bool(view.dependencies)
    if waits or not verification.passed:  # nothing of it runs, but what has been verified goes on until it is known
        manifests = [each for each in manifests if each["kind"] != DEPLOYMENT.name]
    return manifests + verification_objects(owner, settings, view.plugin)


def _too_large(plugin: Plugin) -> Trouble | None:
    size = len(connector_config(plugin).canonical())
    if size <= LARGEST:
        return None
    return Trouble(
        "PluginTooLarge",
        f"The spec has {size} bytes, {LARGEST} at most: put what is long into a ConfigMap or Secret.",
    )


def _trouble(view: PluginView, settings: BuildSettings, now: float) -> Trouble | None:
    """What a person has to fix about the connector's pods."""
    state = view.deployment
    if state is None or state.complete:
        return None
    late = [
        pod
        for pod in view.pods
        if isinstance(pod.detail, PodState) and now > pod.detail.readiness_since + settings.rollout_deadline
    ]
    return refused(state) or trouble_of(late, past=f"This has lasted longer than {settings.rollout_deadline} s.")


def _unwanted(view: PluginView, manifests: list[Manifest], verification: Verification) -> list[Delete]:
    """What was made while the Plugin had a connector, another version to verify, or the installation
    NetworkPolicies."""
    wanted = {(each["kind"], each["metadata"]["name"]) for each in manifests}
    if not verification.passed and verification.failure is None:
        wanted.add((DEPLOYMENT.name, connector_name(view.resource.key.name)))
    if verification.again is not None:
        wanted.discard((JOB.name, verification.again.name))
    return [
        Delete(child=each)
        for kind_and_name, each in view.by_kind_and_name.items()
        if kind_and_name not in wanted and each.owner_uid == view.resource.uid and not each.deleting
    ]
