"""One look at an Agent: gather what the decision needs, plan, carry out."""

import time

import aiohttp

from slipway_crds.agent import Agent
from slipway_crds.vectorindex import VectorIndex
from slipway_operator.builders.inputs import BuildSettings
from slipway_operator.cache import Cache, Key, Resource
from slipway_operator.controllers.executor import Executor
from slipway_operator.controllers.opening import model_to_act_on, namespace_to_act_in
from slipway_operator.controllers.peek import not_ready_because
from slipway_operator.kinds import POD, VECTOR_INDEX
from slipway_operator.namespaces import Namespace
from slipway_operator.plans.agent import AgentView, plan_agent
from slipway_operator.plans.plan import Plan
from slipway_operator.projections import DeploymentState, PodState
from slipway_operator.rotation import IdentityRotation
from slipway_operator.store import StoreKeeper


class AgentController:
    """Makes Agents real."""

    def __init__(
        self,
        *,
        cache: Cache,
        executor: Executor,
        store: StoreKeeper,
        http: aiohttp.ClientSession,
        build: BuildSettings,
        drain_timeout: float,
        gateway_url: str,
        identity: IdentityRotation,
    ) -> None:
        self._cache = cache
        self._executor = executor
        self._store = store
        self._http = http
        self._build = build
        self._drain_timeout = drain_timeout
        self._gateway_url = gateway_url
        self._identity = identity

    async def reconcile(self, key: Key) -> float | None:
        """Look once. Returns in how many seconds to look again, if that is known.

        Raises:
            ApiError: if the API server refuses or is away; the caller tries again later.
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
            store_problem, readiness = await self._store.problem(namespace), await self._readiness(key)
            view = self._view(resource, agent, namespace, store_problem=store_problem, readiness=readiness)
        wake_after = await self._executor.execute(resource, self._plan(view, now), now=now)
        # A store that is away is asked again soon, whatever else there is to wait for.
        return min(wake_after or 5.0, 5.0) if view.store_problem else wake_after

    def _plan(self, view: AgentView, now: float) -> Plan:
        return plan_agent(view, self._build, drain_timeout=self._drain_timeout, gateway_url=self._gateway_url, now=now)

    def _view(
        self, resource: Resource, agent: Agent, namespace: Namespace, *, store_problem: str = "", readiness: str = ""
    ) -> AgentView:
        key = resource.key
        return AgentView(
            resource=resource,
            agent=agent,
            indexes={
                index.key.name: index
                for index in self._cache.in_namespace(VECTOR_INDEX.name, key.namespace)
                if isinstance(index.model, VectorIndex)
            },
            children=self._cache.children(key),
            store_secret=self._store.access(namespace).secret_name,
            store_problem=store_problem,
            readiness=readiness,
        )

    async def _readiness(self, key: Key) -> str:
        for child in self._cache.children(key):
            pod = child.detail
            if (
                child.kind == POD.name
                and isinstance(pod, PodState)
                and pod.phase == "Running"
                and not pod.ready
                and pod.ip
            ):
                return await not_ready_because(self._http, pod.ip)
        return ""


def _unsettled(view: AgentView) -> bool:
    """Whether the store and the pods have to be asked: not while everything serves, so that idle means idle.

    An edit of an agent that serves asks nobody either: what its pods use is there.
    """
    if isinstance(view.resolve(), tuple):
        return False
    states = [each.detail for each in view.deployments if isinstance(each.detail, DeploymentState)]
    return not states or any(not state.complete for state in states)
