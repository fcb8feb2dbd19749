"""A real API server with our CRDs, and the rest of a cluster in a few lines.

There are no controllers and no node: what becomes of Deployments, StatefulSets and Jobs is written into their status
here, which makes outcomes exact and quick. The audit log shows who wrote what.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from slipway_crds.definitions import custom_resource_definition
from slipway_crds.registry import KINDS as CRDS
from slipway_operator.core.drift import FIELD_MANAGER
from slipway_operator.core.objects import DEPLOYMENT, JOB, POD, STATEFUL_SET, object_kind
from tests.support.api_server import Answer, ApiServer, api_server
from tests.support.operator_manifests import agent, documents, index
from tests.support.waiting import until_async

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_OWNERS = {"slipway.dev/agent", "slipway.dev/index"}
REPORT = {"revision": "r1", "fingerprint": "f1", "documents": 2, "chunks": 6, "failed": 0, "failures": []}


@dataclass(frozen=True)
class Write:
    """A line of the audit log: something that the operator wrote."""

    verb: str
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int


@dataclass
class Outcomes:
    """What becomes of pods and ingestions; by default everything goes well."""

    available: Callable[[str], bool] = lambda deployment: True
    report: Callable[[str], Mapping[str, Any] | str] = lambda job: REPORT
    rolled: Callable[[str], bool] = lambda deployment: True
    """Whether pods of a changed template become available; until then the old ones serve alongside them."""
    finished: set[str] = field(default_factory=set)
    images: dict[str, str] = field(default_factory=dict)
    """Of the pods that serve, by the uid of the Deployment."""


class AuditLog:
    """What operators asked of the API server. It grows to many megabytes, so each look goes on where the last ended."""

    def __init__(self, path: Path) -> None:
        self.writes: list[tuple[datetime, Write]] = []
        self.requests: set[tuple[str, str]] = set()
        self._path = path
        self._read = 0

    def read_on(self) -> None:
        """Take in the whole lines that were added since the last look."""
        with self._path.open("rb") as log:
            log.seek(self._read)
            added = log.read()
        whole = added[: added.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            event = json.loads(line)
            if not str(event.get("userAgent", "")).startswith((FIELD_MANAGER, "kopf")) or not event.get("objectRef"):
                continue
            self.requests.add((str(event["verb"]), str(event["objectRef"].get("resource"))))
            write = _write(event)
            if write is not None:
                self.writes.append((datetime.fromisoformat(event["requestReceivedTimestamp"]), write))


class World:
    """What a test does to the cluster, and sees of it."""

    def __init__(self, api: ApiServer, audit_log: Path) -> None:
        self.api = api
        self.outcomes = Outcomes()
        self._audit = AuditLog(audit_log)

    # Writing as a user

    async def namespace(self, name: str) -> None:
        """Make it."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        assert (await self.api.request("POST", "/api/v1/namespaces", body)).status in (201, 409)

    async def service_account(self, namespace: str, name: str) -> None:
        """Make it."""
        body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        assert (await self.api.request("POST", path, body)).status in (201, 409)

    async def priority_class(self, name: str) -> None:
        """Make it."""
        body = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": 7}
        path = "/apis/scheduling.k8s.io/v1/priorityclasses"
        assert (await self.api.request("POST", path, body)).status in (201, 409)

    async def apply(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Server-side apply by a user."""
        metadata = manifest["metadata"]
        path = object_kind(manifest["kind"]).path(metadata["namespace"], metadata["name"])
        query = {"fieldManager": "user", "force": "true"}
        return _object(await self.api.request("PATCH", path, manifest, content=APPLY, query=query))

    async def merge(self, kind: str, namespace: str, name: str, body: dict[str, Any], sub: str = "") -> dict[str, Any]:
        """JSON merge patch by a user, or by one of the cluster's controllers."""
        path = object_kind(kind).path(namespace, name, sub)
        query = {"fieldManager": "kubectl-edit"}
        return _object(await self.api.request("PATCH", path, body, content=MERGE, query=query))

    async def json_patch(self, kind: str, namespace: str, name: str, operations: list[dict[str, Any]]) -> Answer:
        """JSON patch by a user; a refusal is an answer."""
        query = {"fieldManager": "kubectl-edit"}
        path = object_kind(kind).path(namespace, name)
        return await self.api.request("PATCH", path, operations, content=JSON_PATCH, query=query)  # type: ignore[arg-type]

    async def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete it, if it is there."""
        assert (await self.api.request("DELETE", object_kind(kind).path(namespace, name))).status in (200, 202, 404)

    # Looking

    async def get(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        """The object; empty if there is none."""
        answer = await self.api.request("GET", object_kind(kind).path(namespace, name))
        return answer.body if answer.accepted else {}

    async def children(self, kind: str, namespace: str) -> list[dict[str, Any]]:
        """Everything of a kind that the operator made for the Agents and VectorIndexes of a namespace."""
        query = {"labelSelector": "app.kubernetes.io/managed-by=slipway"}
        answer = await self.api.request("GET", object_kind(kind).path(namespace), query=query)
        return [dict(item) for item in answer.body["items"] or [] if _OWNERS & item["metadata"]["labels"].keys()]

    async def condition(self, kind: str, namespace: str, name: str, condition: str = "Ready") -> dict[str, Any]:
        """One condition; empty if it is absent."""
        found = (await self.get(kind, namespace, name)).get("status", {}).get("conditions", [])
        return next((dict(each) for each in found if each["type"] == condition), {})

    async def until_condition(
        self, kind: str, namespace: str, name: str, *, status: str = "True", reason: str = "", condition: str = "Ready"
    ) -> dict[str, Any]:
        """Wait for a condition, and return it."""
        seen: dict[str, Any] = {}

        async def holds() -> bool:
            nonlocal seen
            seen = await self.condition(kind, namespace, name, condition)
            return seen.get("status") == status and (not reason or seen.get("reason") == reason)

        try:
            await until_async(holds, f"{kind} {name}: {condition}={status} {reason}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {seen}") from None
        return seen

    def written(self, *, since: datetime, namespace: str | None = None) -> list[Write]:
        """What the operator wrote since then, but for its Lease."""
        self._audit.read_on()
        recent = (write for received, write in self._audit.writes if received >= since)
        return [write for write in recent if namespace in (None, write.namespace)]

    def requests(self) -> set[tuple[str, str]]:
        """Verb and resource of everything that any operator ever asked of this API server."""
        self._audit.read_on()
        return set(self._audit.requests)

    async def until_quiet(self, namespace: str, *, seconds: float = 1.0) -> None:
        """Wait until the operator has written nothing for so long."""

        async def quiet() -> bool:
            return not self.written(since=now_for_audit() - timedelta(seconds=seconds), namespace=namespace)

        await until_async(quiet, f"nothing was written for {seconds:g} s")

    async def both_ready(self, namespace: str, **spec: Any) -> None:
        """Apply documents, an index and an agent with this spec, and wait for both."""
        for manifest in (documents(namespace), index(namespace), agent(namespace, **spec)):
            await self.apply(manifest)
        await self.until_condition("VectorIndex", namespace, "handbook")
        await self.until_condition("Agent", namespace, "support")

    # The cluster's controllers

    async def run_controllers(self, namespace: str) -> None:
        """Give Deployments, StatefulSets and Jobs of a namespace their status, for ever."""
        while True:
            for deployment in await self.children(DEPLOYMENT.name, namespace):
                await self._deployment(deployment)
            for stateful_set in await self.children(STATEFUL_SET.name, namespace):
                await self._status(stateful_set, _stateful_set_status(stateful_set))
            for job in await self.children(JOB.name, namespace):
                if job["metadata"]["uid"] not in self.outcomes.finished:
                    await self._finish(job)
            await asyncio.sleep(0.05)

    @asynccontextmanager
    async def controllers(self, namespace: str) -> AsyncIterator[None]:
        """The cluster's controllers, while the block runs."""
        task = asyncio.create_task(self.run_controllers(namespace))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _deployment(self, deployment: dict[str, Any]) -> None:
        metadata = deployment["metadata"]
        image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
        available = self.outcomes.available(metadata["name"])
        serving = self.outcomes.images.setdefault(metadata["uid"], image)
        if serving != image and self.outcomes.rolled(metadata["name"]):
            self.outcomes.images[metadata["uid"]] = serving = image
        status = _deployment_status(deployment, available=available)
        if serving != image:
            replicas = deployment["spec"]["replicas"]
            status |= {"replicas": replicas + 1, "updatedReplicas": 1}
        await self._status(deployment, status)

    async def _finish(self, job: dict[str, Any]) -> None:
        metadata = job["metadata"]
        outcome = self.outcomes.report(metadata["name"])
        self.outcomes.finished.add(metadata["uid"])
        await self._job_pod(job, outcome)
        now = _now()
        failed = isinstance(outcome, str)
        types = ["FailureTarget", "Failed"] if failed else ["SuccessCriteriaMet", "Complete"]
        conditions = [
            {"type": each, "status": "True", "lastTransitionTime": now, "lastProbeTime": now, "reason": "Test"}
            for each in types
        ]
        counts = {"failed": 1} if failed else {"succeeded": 1, "completionTime": now}
        await self._status(job, {"startTime": now, "conditions": conditions, **counts})

    async def _job_pod(self, job: dict[str, Any], outcome: Mapping[str, Any] | str) -> None:
        failed = isinstance(outcome, str)
        message = outcome if isinstance(outcome, str) else json.dumps(outcome)
        metadata, template = job["metadata"], job["spec"]["template"]
        labels = {**template["metadata"]["labels"], "batch.kubernetes.io/job-name": metadata["name"]}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"{metadata['name']}-{metadata['uid'][:5]}", "labels": labels},
            "spec": {key: value for key, value in template["spec"].items() if key != "serviceAccount"},
        }
        created = _object(await self.api.request("POST", POD.path(metadata["namespace"]), pod))
        ended = {"exitCode": 1 if failed else 0, "reason": "Error" if failed else "Completed", "message": message}
        container = {"name": "ingest", "image": "x", "imageID": "x", "ready": False, "restartCount": 0}
        phase = "Failed" if failed else "Succeeded"
        statuses = [{**container, "state": {"terminated": ended}}]
        await self._status(created, {"phase": phase, "containerStatuses": statuses}, kind=POD.name)

    async def _status(self, found: dict[str, Any], status: dict[str, Any], *, kind: str = "") -> None:
        before = found.get("status", {})
        if all(before.get(key) == value for key, value in status.items()):
            return
        metadata = found["metadata"]
        name = kind or _kind_of(found)
        path = object_kind(name).path(metadata["namespace"], metadata["name"], "status")
        answer = await self.api.request("PATCH", path, {"status": status}, content=MERGE)
        assert answer.status in (200, 404, 409), answer.message


@asynccontextmanager
async def world_of(kubeconfig: Path, audit_log: Path) -> AsyncIterator[World]:
    """A world on the API server of a kubeconfig, with our CRDs served."""
    async with api_server(str(kubeconfig)) as api:
        for kind in CRDS.values():
            crd = custom_resource_definition(kind)
            name = crd["metadata"]["name"]
            path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
            answer = await api.apply(path, crd)
            assert answer.accepted, answer.message

            async def established(path: str = path) -> bool:
                conditions = (await api.request("GET", path)).body.get("status", {}).get("conditions") or []
                return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)

            await until_async(established, f"{name} is established")
        yield World(api, audit_log)


def now_for_audit() -> datetime:
    """From here on; the audit log's times are finer than a second."""
    return datetime.now(UTC)


def _write(event: Mapping[str, Any]) -> Write | None:
    reference = event["objectRef"]
    if event["verb"] not in WRITES or reference["resource"] == "leases":
        return None
    return Write(
        verb=event["verb"],
        resource=reference["resource"],
        subresource=reference.get("subresource", ""),
        namespace=reference.get("namespace", ""),
        name=reference.get("name", ""),
        code=event["responseStatus"]["code"],
    )


def _object(answer: Answer) -> dict[str, Any]:
    assert answer.accepted, answer.message
    return dict(answer.body)


def _kind_of(found: Mapping[str, Any]) -> str:
    """Items of a list do not say their kind."""
    if "serviceName" in found["spec"]:
        return STATEFUL_SET.name
    return DEPLOYMENT.name if "strategy" in found["spec"] else JOB.name


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _stateful_set_status(stateful_set: Mapping[str, Any]) -> dict[str, Any]:
    generation = stateful_set["metadata"]["generation"]
    return {"observedGeneration": generation, "replicas": 1, "readyReplicas": 1, "updatedReplicas": 1}


def _deployment_status(deployment: Mapping[str, Any], *, available: bool) -> dict[str, Any]:
    replicas = deployment["spec"]["replicas"]
    ready = replicas if available else 0
    before: Mapping[str, Any] = next(iter(deployment.get("status", {}).get("conditions", [])), {})
    status = "True" if available else "False"
    condition = {"type": "Available", "status": status, "reason": "Test", "message": "x"}
    changed = before.get("lastTransitionTime") if before.get("status") == status else _now()
    return {
        "observedGeneration": deployment["metadata"]["generation"],
        "replicas": replicas,
        "updatedReplicas": replicas,
        "availableReplicas": ready,
        "readyReplicas": ready,
        "conditions": [{**condition, "lastTransitionTime": changed, "lastUpdateTime": changed}],
    }
