"""One look at a Workflow: ask a worker how its runs do, plan, carry out."""

import time

from slipway_crds import contract
from slipway_crds.agents.kind import AGENT
from slipway_crds.indexes.kind import VECTOR_INDEX
from slipway_crds.meta import GROUP, CustomObject
from slipway_crds.references import Ref
from slipway_crds.workflows.kind import WORKFLOW
from slipway_crds.workflows.model import Workflow
from slipway_crds.workflows.report import WorkerReport
from slipway_operator.controllers import DependentController, KindController, RunningController
from slipway_operator.core.cache import Resource, ResourceKey
from slipway_operator.core.namespaces import Namespace
from slipway_operator.core.objects import CONFIG_MAP
from slipway_operator.core.peek import json_at
from slipway_operator.core.plan import Annotate, Plan
from slipway_operator.core.projections import Child, PodState
from slipway_operator.opening import model_to_act_on, namespace_to_act_in
from slipway_operator.workflows.builders import worker_secret
from slipway_operator.workflows.plan import WorkflowView, plan_workflow, worker_parts
from slipway_operator.workflows.reports import read_worker_report

MADE_ANNOTATION = f"{GROUP}/worker-secret"
"""On the ConfigMap of the definitions: name of the Secret that was created with it as its owner."""


class WorkflowController(DependentController):
    """Makes Workflows real."""

    async def reconcile(self, key: ResourceKey) -> float | None:
        """Look once. Returns in how many seconds to look again.

        Raises:
            ApiError: if the API server refuses or is unavailable; the caller tries again later.
            NamespaceReplacedError: if the namespace was made again; likewise.
        """
        resource = self._cache.resource(key)
        if resource is None or resource.deleting_since:
            self._wake_another(key)
            return None
        now = time.time()
        workflow = await model_to_act_on(self._executor, resource, Workflow, now=now)
        namespace = await namespace_to_act_in(self._executor, self._store, resource, now=now) if workflow else None
        if workflow is None or namespace is None:
            return None
        view = self._view(resource, workflow, namespace)
        if worker_parts(view).definitions and (view.state is None or not view.state.complete):
            await self._identity.publish(key.namespace)  # pods wait for it
            if self._certificates is not None:
                await self._certificates.issue(key.namespace)  # and for this
            view = self._view(resource, workflow, namespace, store_problem=await self._store.problem(namespace))
        view = self._view(
            resource, workflow, namespace, store_problem=view.store_problem, report=await self._report(key)
        )
        plan = plan_workflow(view, self._build, gateway_url=self._settings.gateway_url, now=now)
        wake_after = await self._executor.execute(resource, self._names.named(resource, plan), now=now)
        await self._make_secret(resource, view, namespace)
        return wake_after

    def _wake_another(self, gone: ResourceKey) -> None:
        """What all of them have together is to be made without one that is gone."""
        others = (each.key for each in self._cache.resources(gone.kind, gone.namespace) if each.key != gone)
        if (other := next(others, None)) is not None:
            self._enqueue(other)

    def _view(
        self,
        resource: Resource,
        workflow: Workflow,
        namespace: Namespace,
        *,
        store_problem: str = "",
        report: WorkerReport | None = None,
    ) -> WorkflowView:
        key, access = resource.key, self._store.access(namespace)
        fingerprint, former = (contract.key_fingerprint(each) for each in self._store.worker_keys(namespace))
        return WorkflowView(
            resource=resource,
            workflow=workflow,
            siblings=self._cache.resources(key.kind, key.namespace),
            objects=self._objects(key.namespace),
            children=self._cache.shared(key.kind, key.namespace),
            store_secret=access.secret_name,
            store_schema=access.schema,
            fingerprints=(fingerprint, former),
            store_problem=store_problem,
            report=report,
        )

    def _objects(self, namespace: str) -> dict[Ref, CustomObject]:
        """Agents and indexes of the namespace."""
        return {
            each.key: each.model
            for kind in (AGENT, VECTOR_INDEX)
            for each in self._cache.resources(kind.name, namespace)
            if each.model is not None and not each.deleting_since
        }

    async def _report(self, key: ResourceKey) -> WorkerReport | None:
        """Of the newest worker that is ready."""
        pods = [
            (child.created, child.name, child.detail.ip)
            for child in self._cache.shared(key.kind, key.namespace)
            if isinstance(child.detail, PodState) and child.detail.ready and child.detail.ip and not child.deleting
        ]
        if not pods:
            return None
        ip = max(pods)[2]
        host = f"[{ip}]" if ":" in ip else ip
        url = f"http://{host}:{contract.HTTP_PORT}{contract.WORKER_STATUS_PATH}/{key.name}"
        return read_worker_report(await json_at(self._http, url))

    async def _make_secret(self, resource: Resource, view: WorkflowView, namespace: Namespace) -> None:
        """The Secret with the workers' key, as far as it was not made. Its owner has to be there before it."""
        config_map = self._cache.child(CONFIG_MAP.name, resource.key.namespace, contract.WORKER)
        if config_map is None or config_map.deleting:
            return
        parts = worker_parts(view)
        complete = view.state is not None and view.state.complete
        if complete and config_map.annotations.get(MADE_ANNOTATION) == parts.keys.secret:
            return
        key, _ = self._store.worker_keys(namespace)
        await self._kube.create(worker_secret(parts.owners, config_map.uid, key))
        if config_map.annotations.get(MADE_ANNOTATION) != parts.keys.secret:
            await self._remember(resource, config_map, parts.keys.secret)

    async def _remember(self, resource: Resource, config_map: Child, secret: str) -> None:
        annotate = Annotate(child=config_map, annotations={MADE_ANNOTATION: secret})
        current = self._cache.resource(resource.key) or resource
        await self._executor.execute(current, Plan(status=dict(current.status), annotate=(annotate,)), now=time.time())


ROW = KindController(WORKFLOW, lambda dependencies: RunningController(WorkflowController(dependencies).reconcile))
