"""Workflows from Kubernetes, and workers from the EndpointSlices of their Service, which also say their key."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from slipway_crds.contract import FORMER_KEY_LABEL, WORKER, WORKER_KEY_LABEL
from slipway_crds.mcp_names import STATUS_FIELD
from slipway_crds.meta import API_VERSION
from slipway_runtime.gateway.kubernetes_api import KubernetesApi, Object
from slipway_runtime.gateway.kubernetes_routes import SLICES_PATH, ready_urls
from slipway_runtime.gateway.reflector import ObjectKey, Reflector
from slipway_runtime.gateway.routes import AgentAccess as Allowed
from slipway_runtime.gateway.routes import RouteTable, WorkflowKey
from slipway_runtime.gateway.workflows.table import WorkflowEntry, WorkflowTable

WORKFLOWS_PATH = f"/apis/{API_VERSION}/workflows"
SERVICE_LABEL = "kubernetes.io/service-name"


@dataclass(frozen=True)
class WorkerSlice:
    """What counts of one EndpointSlice of workers."""

    urls: frozenset[str]
    fingerprints: frozenset[str]
    """Of the keys that workers may have: while they are being replaced, two."""


class KubernetesWorkflows:
    """Keeps a table of workflows current from the API server."""

    def __init__(self, workflows: WorkflowTable, routes: RouteTable, *, tls: bool = False) -> None:
        """`tls`: whether workers that speak TLS are called by it."""
        self._tls = tls
        self._workflows = workflows
        self._routes = routes
        self._slices: dict[ObjectKey, WorkerSlice] = {}
        workflows.listed = False

    def reflectors(self, api: KubernetesApi) -> list[Reflector]:
        """What follows the collections."""
        of_workers = {"labelSelector": f"{SERVICE_LABEL}={WORKER}"}
        return [
            Reflector(api, WORKFLOWS_PATH, on_list=self.list_workflows, on_change=self.change_workflow),
            Reflector(api, SLICES_PATH, on_list=self.list_slices, on_change=self.change_slice, query=of_workers),
        ]

    def list_workflows(self, objects: Mapping[ObjectKey, Object]) -> None:
        """Take these Workflows as all that there are."""
        kept = {WorkflowKey(*key): found for key, found in objects.items()}
        for gone in self._workflows.keep(kept):
            self._routes.restrict(gone, None)
        for key, found in kept.items():
            self._keep(key, found)
        self._workflows.listed = True

    def change_workflow(self, key: ObjectKey, found: Object | None) -> None:
        """Take note of one Workflow's new state."""
        workflow = WorkflowKey(*key)
        if found is not None:
            self._keep(workflow, found)
        else:
            self._workflows.remove(workflow)
            self._routes.restrict(workflow, None)

    def _keep(self, key: WorkflowKey, found: Object) -> None:
        spec = found.get("spec") or {}
        # First who may use it: what is new must not be open to all for a moment.
        self._routes.restrict(key, Allowed.read(spec))
        created = str(found["metadata"].get("creationTimestamp") or "")
        given = str((found.get("status") or {}).get(STATUS_FIELD) or "")
        self._workflows.set(key, WorkflowEntry.read(spec, created=created, mcp_name=given))

    def list_slices(self, slices: Mapping[ObjectKey, Object]) -> None:
        """Take these EndpointSlices as all that there are."""
        self._slices = {key: self._read(found) for key, found in slices.items()}
        self._update()

    def change_slice(self, key: ObjectKey, found: Object | None) -> None:
        """Take note of one EndpointSlice's new state."""
        self._slices.pop(key, None)
        if found is not None:
            self._slices[key] = self._read(found)
        self._update()

    def _update(self) -> None:
        urls: defaultdict[str, set[str]] = defaultdict(set)
        fingerprints: defaultdict[str, set[str]] = defaultdict(set)
        for key, part in self._slices.items():
            urls[key.namespace] |= part.urls
            fingerprints[key.namespace] |= part.fingerprints
        self._workflows.keep_workers(urls)
        for namespace, of_it in urls.items():
            self._workflows.set_workers(namespace, of_it, fingerprints[namespace])

    def _read(self, found: Object) -> WorkerSlice:
        labels = found["metadata"].get("labels") or {}
        keys = {labels.get(WORKER_KEY_LABEL, ""), labels.get(FORMER_KEY_LABEL, "")} - {""}
        return WorkerSlice(ready_urls(found, tls=self._tls), frozenset(keys))
