"""One look at a VectorIndex: gather what the decision needs, plan, carry out; and see it off when it is deleted."""

import logging
import time
from contextlib import suppress
from dataclasses import replace

from slipway_crds.indexes.kind import VECTOR_INDEX
from slipway_crds.indexes.model import VectorIndex
from slipway_crds.meta import GROUP
from slipway_crds.references import Ref
from slipway_operator.controllers import ControllerDependencies, DependentController, KindController, RunningController
from slipway_operator.core import metrics, retrying
from slipway_operator.core.cache import Resource, ResourceKey, resource_of
from slipway_operator.core.conditions import Trouble, epoch
from slipway_operator.core.events import announce
from slipway_operator.core.namespaces import Namespace
from slipway_operator.core.objects import CONFIG_MAP, JOB, object_kind
from slipway_operator.core.peek import progress_of
from slipway_operator.core.plan import Plan, changes, owner_of
from slipway_operator.core.refusal_events import refusal_of
from slipway_operator.indexes.counting import AT_ONCE, Counting
from slipway_operator.indexes.ingest import IngestSpec
from slipway_operator.indexes.ingestion import IngestionRun, expired_of, runs_of
from slipway_operator.indexes.occasions import occasion_of
from slipway_operator.indexes.plan import IndexView, plan_index
from slipway_operator.indexes.purging import StillPurgingError, how_far, purge_objects, purge_spec
from slipway_operator.indexes.status import PROGRESS_SECONDS
from slipway_operator.opening import model_to_act_on, namespace_to_act_in
from slipway_operator.store.admin_connections import StoreError
from slipway_operator.store.extension import RECHECK_SECONDS

logger = logging.getLogger(__name__)

FINALIZER = f"{GROUP}/stored-documents"
"""On an index whose deletionPolicy is Delete: what the store keeps of it has to go as well."""
RELEASE_SECONDS = 600.0
"""After this long the index is let go, whatever the store says: a deletion that hangs is worse than left-overs."""
RETRY_SECONDS = retrying.delay(retrying.STORE)


class IndexController(DependentController):
    """Makes VectorIndexes real."""

    def __init__(self, dependencies: ControllerDependencies, counting: Counting) -> None:
        super().__init__(dependencies)
        self._counting = counting
        self._progress: dict[ResourceKey, tuple[float, str, str]] = {}
        """When an index's ingestion was asked how far it is, the uid of its Job, and what it said."""

    async def reconcile(self, key: ResourceKey) -> float | None:
        """Look once. Returns in how many seconds to look again, if that is known.

        Raises:
            ApiError: if the API server refuses or is unavailable; the caller tries again later.
        """
        resource = self._cache.resource(key)
        if resource is None or resource.deleting_since:
            self._counting.forget(key)
            self._progress.pop(key, None)
            with suppress(KeyError):
                metrics.INDEX_SYNCED.remove(key.namespace, key.name)
        if resource is None:
            return None
        if resource.deleting_since:
            return await self._see_off(resource)
        now = time.time()
        index = await model_to_act_on(self._executor, resource, VectorIndex, now=now)
        namespace = await namespace_to_act_in(self._executor, self._store, resource, now=now) if index else None
        if index is None or namespace is None:
            return None
        return await self._look(resource, index, namespace, now)

    async def _look(self, resource: Resource, index: VectorIndex, namespace: Namespace, now: float) -> float | None:
        await self._set_finalizer(resource, desired=index.spec.deletion_policy == "Delete")
        view = self._view(resource, index, namespace, now)
        run = view.runs.current or view.runs.unfinished
        store_problem = ""
        about_to_start = run is None and view.ingestion is not None
        if about_to_start or (run is not None and not run.finished and run.running_pod is None):
            store_problem = await self._store.problem(namespace)
        vectors_trouble = None
        if index.spec.backend.in_store and not store_problem:
            vectors_trouble, store_problem = await self._extension(namespace)
        progress = await self._progress_of(resource.key, run, now)
        refusals = {owner.uid: await refusal_of(self._kube, owner, view.children) for owner in view.without_pods(now)}
        # Asking took a while, so the children are taken from the cache anew.
        fresh = self._view(resource, index, namespace, now)
        counted = self._counting.of(resource.key, fresh.collection)
        view = replace(
            fresh,
            store_problem=store_problem,
            vectors_trouble=vectors_trouble,
            progress=progress,
            refusals=refusals,
            counted=counted,
        )
        plan = plan_index(view, self._build, now=now)
        wake_after = await self._executor.execute(resource, plan, now=now)
        if synced := plan.status.get("lastSyncedTime"):
            metrics.INDEX_SYNCED.labels(resource.key.namespace, resource.key.name).set(epoch(str(synced)))
        retry = RETRY_SECONDS if store_problem else RECHECK_SECONDS if vectors_trouble else None
        appointments = [wake_after, retry, self._counting.due_in(resource.key)]
        return min((each for each in appointments if each is not None), default=None)

    async def _progress_of(self, key: ResourceKey, run: IngestionRun | None, now: float) -> str:
        """What the running ingestion says about how far it is; the same for ten seconds."""
        if run is None or run.finished or run.running_pod is None:
            self._progress.pop(key, None)
            return ""
        asked, job, said = self._progress.get(key, (0.0, "", ""))
        if job != run.job.uid or now >= asked + PROGRESS_SECONDS:
            said = await progress_of(self._http, run.running_pod.ip)
            self._progress[key] = (now, run.job.uid, said)
        return said

    async def _extension(self, namespace: Namespace) -> tuple[Trouble | None, str]:
        """Why there are no vectors in the store, and what is the matter with the store otherwise."""
        try:
            await self._store.ensure(namespace)
            return await self._store.extension.trouble(namespace.uid), ""
        except StoreError as error:
            return None, str(error)

    def _view(self, resource: Resource, index: VectorIndex, namespace: Namespace, now: float) -> IndexView:
        return IndexView(
            resource=resource,
            index=index,
            children=self._cache.children(resource.key),
            source_versions={
                source: self._cache.look(Ref(CONFIG_MAP.name, namespace.name, name)).version or None
                for source, name in index.spec.config_maps.items()
            },
            store_secret=self._store.access(namespace).secret_name,
            occasion=occasion_of(
                index,
                created=resource.created,
                now=now,
                expired=expired_of(self._cache.children(resource.key), now=now),
            ),
        )

    async def _set_finalizer(self, resource: Resource, *, desired: bool) -> None:
        if desired == (FINALIZER in resource.finalizers):
            return
        others = [each for each in resource.finalizers if each != FINALIZER]
        await self._write_finalizers(resource, [*others, FINALIZER] if desired else others)

    async def _write_finalizers(self, resource: Resource, finalizers: list[str]) -> None:
        key = resource.key
        # The version makes this fail, and be tried again, if somebody else has changed the list meanwhile.
        body = {"metadata": {"resourceVersion": str(resource.version), "finalizers": finalizers or None}}
        raw = await self._kube.merge(object_kind(VECTOR_INDEX.name), key.namespace, key.name, body)
        if "deletionTimestamp" not in raw["metadata"]:
            self._cache.put_resource(resource_of(VECTOR_INDEX.name, raw))

    async def _see_off(self, resource: Resource) -> float | None:
        """Stop what writes, delete what others keep of the index, let it go."""
        if FINALIZER not in resource.finalizers:
            return None
        key = resource.key
        purging = purge_spec(resource.model) if isinstance(resource.model, VectorIndex) else None
        own = purging.name if purging is not None else ""
        jobs = [child for child in self._cache.children(key) if child.kind == JOB.name and child.name != own]
        for job in jobs:
            if not job.deleting:
                await self._kube.delete(JOB, key.namespace, job.name, uid=job.uid, propagation="Foreground")
        namespace = await self._store.namespace(key.namespace)
        # What the store has of a namespace that goes, goes with it.
        if namespace is not None and not namespace.deleting:
            overdue = self._overdue(resource)
            if jobs and not overdue:
                return RETRY_SECONDS
            try:
                if purging is not None:
                    await self._purge_vectors(resource, purging, namespace)
                await self._store.purge(namespace, key.name)
            except (StoreError, StillPurgingError) as error:
                if not overdue:
                    logger.info("not purged yet: %s", error)
                    return RETRY_SECONDS
                said = f"Let go without deleting all that is kept of it elsewhere: {error}"
                await announce(self._kube, resource, reason="NotPurged", message=said)
        rest = [each for each in resource.finalizers if each != FINALIZER]
        await self._write_finalizers(resource, rest)
        return None

    async def _purge_vectors(self, resource: Resource, purging: IngestSpec, namespace: Namespace) -> None:
        """Have the vectors deleted where the operator has no credentials, by a Job that has.

        Raises:
            StillPurgingError: until the Job has succeeded.
            StoreError: if the Job could not sign in to the store.
        """
        index = resource.model
        runs = runs_of(self._cache.children(resource.key), purging)
        run = runs.current
        if run is not None and run.state.succeeded:
            return
        await self._store.ensure(namespace)
        if run is not None and run.state.failed:
            await self._kube.delete(JOB, namespace.name, run.job.name, uid=run.job.uid, propagation="Foreground")
        elif run is None and not runs.leaving and isinstance(index, VectorIndex):
            secret = self._store.access(namespace).secret_name
            manifests = purge_objects(owner_of(resource), self._build, index, purging, store_secret=secret)
            plan = Plan(status=dict(resource.status), apply=tuple(changes(manifests, {}, resource.uid)))
            await self._executor.execute(resource, plan, now=time.time())
        raise StillPurgingError(how_far(run))

    def _overdue(self, resource: Resource) -> bool:
        return time.time() > epoch(resource.deleting_since) + RELEASE_SECONDS


def start(dependencies: ControllerDependencies) -> RunningController:
    """The controller, and what counts vectors for it."""
    counting = Counting(dependencies.http, enqueue=dependencies.enqueue)
    return RunningController(IndexController(dependencies, counting).reconcile, [counting.work_forever] * AT_ONCE)


ROW = KindController(VECTOR_INDEX, start)
