"""What a VectorIndex needs done now: its server, and the ingestion of its sources."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from slipway_crds.bindings import ConnectionSource, ingestion_connections, sentence_models_of
from slipway_crds.contract import CHROMA_PORT, collection_name
from slipway_crds.indexes.model import Backend, VectorIndex
from slipway_crds.indexes.problems import index_problems
from slipway_crds.resolve import ingest_config
from slipway_operator.core.conditions import Trouble
from slipway_operator.core.drift import APPLIED_ANNOTATION, stamp
from slipway_operator.core.inputs import BuildSettings
from slipway_operator.core.manifests import Manifest
from slipway_operator.core.objects import CONFIG_MAP, JOB, NETWORK_POLICY, POD, SERVICE, STATEFUL_SET
from slipway_operator.core.plan import Apply, Delete, Plan, View, changes, owner_of
from slipway_operator.core.pod_trouble import pods_refused, trouble_of
from slipway_operator.core.projections import Child, PodState, StatefulSetState
from slipway_operator.core.refusals import without_pods
from slipway_operator.indexes import ingestion
from slipway_operator.indexes.content import Collection, Counted, content_of, generation_of
from slipway_operator.indexes.ingest import SERVER_ANNOTATION, IngestSpec, ingest_objects, ingest_policy, sources_hash
from slipway_operator.indexes.ingestion import IngestionRun, IngestionRuns, may_start, runs_of
from slipway_operator.indexes.occasions import Occasion
from slipway_operator.indexes.server import child_name, index_account, index_objects
from slipway_operator.indexes.status import IndexStanding, index_status

SERVER_KINDS = (STATEFUL_SET.name, SERVICE.name, NETWORK_POLICY.name)
NO_SQLITE = (
    "spec.documents.store: sqlite is the file of slipway dev, which pods do not share. Write postgres: {} to keep texts"
    " in the namespace's store"
)
LEAVE_SECONDS = 60.0
"""For which a server is kept that an index has moved away from: whoever asks it now ends first."""


@dataclass(frozen=True, kw_only=True)
class IndexView(View):
    """A VectorIndex with everything that the decision depends on."""

    index: VectorIndex
    source_versions: Mapping[str, str | None]
    """Version of each source's ConfigMap, by the name of the source; None where there is none."""
    store_secret: str
    occasion: Occasion = field(default_factory=Occasion)
    store_problem: str = ""
    progress: str = ""
    """What the running ingestion says about how far it is."""
    counted: Counted = field(default_factory=Counted)
    """What is known of the number of vectors in `collection`."""
    vectors_trouble: Trouble | None = None
    """What keeps the store from having vectors, where they are to be there."""
    refusals: Mapping[str, str] = field(default_factory=dict)
    """Why pods are refused, by the uid of the StatefulSet or the Job that has none."""

    @property
    def has_server(self) -> bool:
        """Whether Slipway is to run a server for the index."""
        return self.index.spec.backend.server is not None

    @property
    def server(self) -> Child | None:
        """The index's server, if it is to have one."""
        return self._stateful_set if self.has_server else None

    @property
    def _stateful_set(self) -> Child | None:
        return self.by_kind_and_name.get((STATEFUL_SET.name, child_name(self.resource.key.name)))

    @property
    def connections(self) -> tuple[ConnectionSource, ...]:
        """What leads to the vectors, where they are on a server that Slipway does not run."""
        return ingestion_connections(self.index)

    @property
    def wants_sqlite(self) -> bool:
        """Whether texts are to be in a file, which pods do not share."""
        return self.index.spec.documents.store.sqlite is not None

    @property
    def missing_sources(self) -> list[str]:
        """Names of the ConfigMaps that are not there."""
        by_name = self.index.spec.config_maps
        return sorted({by_name[name] for name, version in self.source_versions.items() if version is None})

    @cached_property
    def ingestion(self) -> IngestSpec | None:
        """What is to be ingested now; None while a source or the server is missing, or the spec cannot be followed."""
        if (self.has_server and self.server is None) or self.missing_sources or self.wants_sqlite:
            return None
        versions = {name: version or "" for name, version in self.source_versions.items()}
        return IngestSpec(
            config=ingest_config(self.index),
            sources=tuple(sorted(self.index.spec.sources, key=lambda source: source.name)),
            sources_hash=sources_hash(versions),
            server_uid=self.server.uid if self.server is not None else "",
            content_generation=generation_of(self.server),
            occasion=self.occasion.name,
            connections=self.connections,
            models=sentence_models_of([self.index]),
            expired=self.occasion.expired,
            shards=self.index.spec.ingestion.shards,
            parallelism=self.index.spec.ingestion.parallelism,
        )

    @cached_property
    def runs(self) -> IngestionRuns:
        return runs_of(self.children, self.ingestion)

    @property
    def running(self) -> IngestionRun | None:
        """The ingestion that is not over."""
        run = self.runs.current or self.runs.unfinished
        return run if run is not None and not run.finished else None

    @property
    def collection(self) -> Collection | None:
        """The collection that agents read; None before the first build, while the server is not ready, and where the
        build is not on the index's server."""
        last, status = self.runs.last, self.resource.status
        if last is not None and last.job.annotations.get(SERVER_ANNOTATION) == "":
            return None
        report = last.report if last is not None else None
        revision = report.revision if report is not None else str(status.get("activeRevision") or "")
        pod, key = self._server_pod, self.resource.key
        state = pod.detail if pod is not None else None
        if not revision or pod is None or not isinstance(state, PodState) or not state.ready or not state.ip:
            return None
        host = f"[{state.ip}]" if ":" in state.ip else state.ip
        return Collection(
            url=f"http://{host}:{CHROMA_PORT}",
            name=collection_name(f"{key.namespace}/{key.name}", revision),
            chunks=report.chunks if report is not None else int(status.get("chunks") or 0),
            server=(pod.uid, state.readiness_since),
            job=last.job.uid if last is not None else "",
        )

    @property
    def counting(self) -> bool:
        """Whether the first count since the server's last start is still to come."""
        return self.counted.pending or (self._server_pod is not None and self.collection is None)

    @property
    def server_goes(self) -> float | None:
        """When the server may go that is still there, in epoch seconds; None where there is none, and while agents may
        read from it. It stays as long as a former revision is kept on it."""
        current = self.runs.current
        if self.has_server or self._stateful_set is None or current is None or current.report is None:
            return None
        report = current.report
        if report.own_server:
            return None
        kept = report.previous.until if report.previous is not None and report.previous.own_server else 0.0
        return max(current.state.finished + LEAVE_SECONDS, kept)

    @property
    def expiry(self) -> float | None:
        """When the former revision is not kept any more, in epoch seconds."""
        last = self.runs.last
        previous = last.report.previous if last is not None and last.report is not None else None
        return previous.until if previous is not None else None

    @property
    def _server_pod(self) -> Child | None:
        uid = self.server.uid if self.server is not None else ""
        pods = (child for child in self.children if child.kind == POD.name and not child.deleting)
        return next((pod for pod in pods if uid and pod.owner_uid == uid), None)

    def without_pods(self, now: float) -> list[Child]:
        """The server and the Job, if they should have a pod and have none: their Events say why."""
        server = self.server if not _serving(self) else None
        return without_pods([server, self.running.job if self.running else None], self.children, now=now)


def plan_index(view: IndexView, settings: BuildSettings, *, now: float) -> Plan:
    """Everything that is to be done for a VectorIndex now. Nothing, if it is as it should be."""
    manifests = _server_objects(view, settings)
    runs, serving, pod = view.runs, _serving(view), view.index.spec.ingestion.pod
    outdated = False
    if view.ingestion is not None:
        config_map, job = ingest_objects(
            owner_of(view.resource), settings, view.ingestion, pod=pod, store_secret=view.store_secret
        )
        if runs.current is not None or (serving and may_start(runs)):
            manifests += [config_map, job]
        outdated = runs.current is not None and _outdated(runs.current, job)
    job_trouble = _job_trouble(view, settings, now)
    stop = ingestion.to_stop(runs, view.ingestion, outdated=outdated, in_trouble=job_trouble is not None, now=now)
    content = content_of(view.server, runs, collection=view.collection, counted=view.counted, now=now)
    status, wake_after = index_status(
        IndexStanding(
            resource=view.resource,
            runs=runs,
            missing_sources=view.missing_sources,
            serving=serving,
            place=_place(view.index.spec.backend),
            trouble=_problem(view) or view.vectors_trouble or _server_trouble(view, settings, now) or job_trouble,
            store_problem=view.store_problem,
            progress=view.progress,
            lost=content.lost,
            counting=view.counting,
            next_sync=view.occasion.next,
        ),
        now=now,
    )
    return Plan(
        apply=tuple(_not_stopped(changes(manifests, view.by_kind_and_name, view.resource.uid), stop)),
        annotate=(*ingestion.to_keep(runs), *((content.renew,) if content.renew is not None else ())),
        delete=(*stop, *_stale_config_maps(view, runs, stop), *_unwanted(view, settings, now)),
        status=status,
        wake_after=min((each for each in (wake_after, _leave_after(view, now)) if each is not None), default=None),
    )


def _unwanted(view: IndexView, settings: BuildSettings, now: float) -> list[Delete]:
    """What is in the way, or left over."""
    return [*_stuck_pods(view), *_unwanted_policies(view, settings), *_former_server(view, now)]


def _server_objects(view: IndexView, settings: BuildSettings) -> list[Manifest]:
    owner, spec = owner_of(view.resource), view.index.spec
    objects = [index_account(owner)]
    if spec.backend.server is not None:
        chroma = spec.backend.server
        objects += index_objects(owner, settings, chroma, deletion_policy=spec.deletion_policy, pod=spec.pod)
    if settings.network_policies:
        objects.append(ingest_policy(owner, settings, spec, view.connections))
    return objects


def _place(backend: Backend) -> str:
    """Where the vectors are, for a status; empty on the index's own server."""
    if backend.server is not None:
        return ""
    return "the store" if backend.connection is None else f"what Secret {backend.connection.name} connects to"


def _former_server(view: IndexView, now: float) -> list[Delete]:
    """The server of an index that has moved away from it: its volume goes as `deletionPolicy` says."""
    goes = view.server_goes
    if goes is None or now < goes:
        return []
    name = child_name(view.resource.key.name)
    return [
        Delete(child=child)
        for (kind, called), child in view.by_kind_and_name.items()
        if kind in SERVER_KINDS and called == name and child.owner_uid == view.resource.uid
    ]


def _leave_after(view: IndexView, now: float) -> float | None:
    """Seconds until the former server goes, or the former revision."""
    due = [at for at in (view.server_goes, view.expiry) if at is not None and at > now]
    return max(1.0, min(due) - now) if due else None


def _serving(view: IndexView) -> bool:
    if not view.has_server:
        return view.vectors_trouble is None
    return view.server is not None and isinstance(view.server.detail, StatefulSetState) and view.server.detail.ready > 0


def _outdated(run: IngestionRun, job: Manifest) -> bool:
    return run.job.applied != stamp(job)["metadata"].get("annotations", {})[APPLIED_ANNOTATION]


def _server_pods(view: IndexView) -> list[Child]:
    return [
        child
        for child in view.children
        if child.kind == POD.name and isinstance(child.detail, PodState) and not child.detail.job
    ]


def _stuck_pods(view: IndexView) -> list[Delete]:
    """Pods of an older template that cannot run.

    A StatefulSet never replaces a pod that is not ready, not even when its template was fixed since: see "forced
    rollback" in Kubernetes' documentation of StatefulSets.
    """
    desired = view.server.detail.revision if view.server and isinstance(view.server.detail, StatefulSetState) else ""
    return [
        Delete(child=child)
        for child in _server_pods(view)
        if isinstance(child.detail, PodState)
        and not child.deleting
        and desired not in ("", child.detail.revision)
        and trouble_of([child], past="") is not None
    ]


def _unwanted_policies(view: IndexView, settings: BuildSettings) -> list[Delete]:
    """What was made before the chart's value `networkPolicies.enabled` was set to false."""
    return [
        Delete(child=child)
        for (kind, _), child in view.by_kind_and_name.items()
        if kind == NETWORK_POLICY.name and not settings.network_policies and child.owner_uid == view.resource.uid
    ]


def _problem(view: IndexView) -> Trouble | None:
    """What of the spec only an edit fixes."""
    if view.wants_sqlite:
        return Trouble("InvalidDocumentStore", NO_SQLITE)
    problem = next(index_problems(view.index), None)
    return Trouble(problem.reason, f"{problem.path}: {problem.message}") if problem is not None else None


def _server_trouble(view: IndexView, settings: BuildSettings, now: float) -> Trouble | None:
    if not view.has_server:
        return None
    return _refused(view, view.server) or _late_trouble(_server_pods(view), settings, now)


def _job_trouble(view: IndexView, settings: BuildSettings, now: float) -> Trouble | None:
    running = view.running
    if running is None:
        return None
    return _refused(view, running.job) or _late_trouble(running.pods, settings, now)


def _refused(view: IndexView, owner: Child | None) -> Trouble | None:
    words = view.refusals.get(owner.uid, "") if owner is not None else ""
    return pods_refused(words) if words else None


def _late_trouble(pods: list[Child] | tuple[Child, ...], settings: BuildSettings, now: float) -> Trouble | None:
    late = [
        pod
        for pod in pods
        if isinstance(pod.detail, PodState)
        and pod.detail.phase not in ("Succeeded", "Failed")
        and now > pod.detail.readiness_since + settings.rollout_deadline
    ]
    return trouble_of(late, past=f"This has lasted longer than {settings.rollout_deadline} s.")


def _not_stopped(applies: list[Apply], stop: list[Delete]) -> list[Apply]:
    names = {each.child.name for each in stop}
    return [
        each
        for each in applies
        if each.manifest["kind"] not in (JOB.name, CONFIG_MAP.name) or each.manifest["metadata"]["name"] not in names
    ]


def _stale_config_maps(view: IndexView, runs: IngestionRuns, stop: list[Delete]) -> list[Delete]:
    stopped = {each.child.name for each in stop}
    kept = {run.job.name for run in (runs.current, *runs.others) if run is not None} - stopped
    if view.ingestion is not None:
        kept.add(view.ingestion.name)
    return [
        Delete(child=child)
        for (kind, name), child in view.by_kind_and_name.items()
        if kind == CONFIG_MAP.name and name not in kept and child.owner_uid == view.resource.uid
    ]
