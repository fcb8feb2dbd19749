"""One look at an Agent: gather what the decision needs, plan, carry out."""

import time
from collections.abc import Iterable, Mapping

from slipway_crds.agents.kind import AGENT
from slipway_crds.agents.model import Agent
from slipway_crds.references import Ref
from slipway_operator.agents.plan import AgentView, plan_agent
from slipway_operator.controllers import DependentController, KindController, RunningController
from slipway_operator.core.cache import Referenced, Resource, ResourceKey
from slipway_operator.core.namespaces import Namespace
from slipway_operator.core.peek import readiness_of
from slipway_operator.core.plan import Plan
from slipway_operator.core.projections import Child, DeploymentState, PodState
from slipway_operator.core.readiness import SILENT, ReportedReadiness
from slipway_operator.opening import model_to_act_on, namespace_to_act_in


class AgentController(DependentController):
    """Makes Agents real."""

    async def reconcile(self, key: ResourceKey) -> float | None:
        """Look once. Returns in how many seconds to look again, if that is known.

        Raises:
            ApiError: if the API server refuses or is unavailable; the caller tries again later.
            NamespaceReplacedError: if the namespace was made again; likewise.
        """
        resource = self._cache.resource(key)
        if resource is None or resource.deleting_since:
            return None
        now = time.time()
        agent = await model_to_act_on(self._executor, resource, Agent, now=now)
        namespace = await namespace_to_act_in(self._executor, self._store, resource, now=now) if agent else None
        if agent is None or namespace is None:
            return None
        view = self._view(resource, agent, namespace)
        if _unsettled(view) or not self._store.ready(namespace):
            await self._identity.publish(key.namespace)  # pods wait for it
            if self._certificates is not None:
                await self._certificates.issue(key.namespace)  # and for this
            store_problem, readiness = await self._store.problem(namespace), await self._readiness(key)
            view = self._view(resource, agent, namespace, store_problem=store_problem, readiness=readiness)
        elif agent.spec.models or agent.spec.plugins:
            view = self._view(resource, agent, namespace, readiness=await self._readiness(key))
        wake_after = await self._executor.execute(resource, self._names.named(resource, self._plan(view, now)), now=now)
        # A store that is unavailable is asked again soon, whatever else there is to wait for.
        return min(wake_after or 5.0, 5.0) if view.store_problem else wake_after

    def _referenced(self, agent: Agent) -> Mapping[Ref, Referenced]:
        """What the Agent refers to, and the agents that these refer to, since none may lead back to it."""
        found: dict[Ref, Referenced] = {}
        refs = list(AGENT.references(agent))
        while refs:
            ref = refs.pop()
            if ref in found:
                continue
            found[ref] = self._cache.look(ref)
            if isinstance(other := found[ref].model, Agent):
                refs += (each for each in AGENT.references(other) if each.kind == Agent.__name__)
        return found

    def _plan(self, view: AgentView, now: float) -> Plan:
        settings = self._settings
        return plan_agent(
            view, self._build, drain_timeout=settings.drain_timeout, gateway_url=settings.gateway_url, now=now
        )

    def _view(
        self,
        resource: Resource,
        agent: Agent,
        namespace: Namespace,
        *,
        store_problem: str = "",
        readiness: ReportedReadiness = SILENT,
    ) -> AgentView:
        key = resource.key
        return AgentView(
            resource=resource,
            agent=agent,
            referenced=self._referenced(agent),
            children=self._cache.children(key),
            store_secret=self._store.access(namespace).secret_name,
            store_problem=store_problem,
            readiness=readiness,
        )

    async def _readiness(self, key: ResourceKey) -> ReportedReadiness:
        """What a pod says of itself."""
        asked = pod_to_ask(self._cache.children(key))
        return await readiness_of(self._http, asked.ip) if asked else SILENT


def pod_to_ask(children: Iterable[Child]) -> PodState | None:
    """Of the pods that run one that is not ready, or else the newest one; None if none can be asked."""
    pods = [
        (child.detail.ready, -child.created, child.name, child.detail)
        for child in children
        if isinstance(child.detail, PodState)
        and child.detail.phase == "Running"
        and child.detail.ip
        and not child.deleting
    ]
    return min(pods, key=lambda each: each[:3])[3] if pods else None


def _unsettled(view: AgentView) -> bool:
    """Whether the store and the pods have to be asked: not while everything serves, so that no requests are sent then.

    An edit of an agent that serves asks nobody either: what its pods use is there.
    """
    if isinstance(view.resolve(), tuple):
        return False
    states = [each.detail for each in view.deployments if isinstance(each.detail, DeploymentState)]
    return not states or any(not state.complete for state in states)


ROW = KindController(AGENT, lambda dependencies: RunningController(AgentController(dependencies).reconcile))
