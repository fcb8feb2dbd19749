"""Carries a plan out, in an order that leaves nothing half-done that the next look would not finish.

Objects first, then replicas, then the status by which gateways route, and deletions last: a revision goes only after
the status has said so. Every answer of the API server goes into the cache at once, so that the next decision knows of
this one's writes even if the watch is late.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from slipway_operator.core import metrics
from slipway_operator.core.cache import Cache, Resource, ResourceKey, resource_of
from slipway_operator.core.conditions import Statement, Trouble, conditions, patch, standing
from slipway_operator.core.drift import lost_items
from slipway_operator.core.kube import ApiError, KubeClient, gather_all
from slipway_operator.core.objects import DEPLOYMENT, JOB, STATEFUL_SET, object_kind
from slipway_operator.core.plan import Annotate, Apply, Delete, Plan, Scale, observed_conditions
from slipway_operator.core.projections import SCALED_ANNOTATION, project
from slipway_operator.core.watches import Watches

logger = logging.getLogger(__name__)

SCALE_MANAGER = "slipway-operator-scale"
"""Owns `replicas` when we write them, so that applying the Deployment never takes them back."""
REPORT_MANAGER = "slipway-operator-report"
ROLL_WAIT_SECONDS = 3.0
POD_FIELDS: Mapping[str, str] = {
    DEPLOYMENT.name: "spec.pod",
    STATEFUL_SET.name: "spec.pod",
    JOB.name: "spec.ingestion.pod",
}
"""Of the kinds that make pods: the field with what users put on them."""
MESSAGE_MAX = 3000
"""Characters of an API server's message; it quotes whole objects at times, and a condition takes 4096."""


class Executor:
    """Writes for every controller. `enqueue` is called with what a write affects."""

    def __init__(
        self,
        kube: KubeClient,
        cache: Cache,
        watches: Watches,
        *,
        rolls_at_once: int,
        enqueue: Callable[[ResourceKey], None],
    ) -> None:
        self._kube = kube
        self._cache = cache
        self._watches = watches
        self._rolls_at_once = rolls_at_once
        self._enqueue = enqueue
        self._about_to_roll: set[ResourceKey] = set()
        """Whose turn it is, until the answer to their write is in the cache and counts there."""

    async def execute(self, resource: Resource, plan: Plan, *, now: float) -> float | None:
        """Do what the plan says. Returns in how many seconds to look again, if the plan or a full gate asks for it.

        Raises:
            ApiError: from the first write that failed; others of the same stage have been tried.
        """
        allowed = [each for each in plan.apply if not each.gated or self._may_roll(resource.key, each)]
        try:
            await self._apply_all(allowed)
        except RefusedError as error:
            await self.refuse(resource, error.trouble, now=now, planned=plan.status)
            raise error.cause from error
        finally:
            self._about_to_roll.discard(resource.key)
        await gather_all(*(self._scale(each) for each in plan.scale))
        await gather_all(*(self._annotate(each) for each in plan.annotate))
        await self.write_status(resource, plan.status)
        await gather_all(*(self._delete(each) for each in plan.delete))
        if len(allowed) < len(plan.apply):
            return min(ROLL_WAIT_SECONDS, plan.wake_after or ROLL_WAIT_SECONDS)
        return plan.wake_after

    def _may_roll(self, key: ResourceKey, apply: Apply) -> bool:
        """Whether there is room for one more roll. One that replaces a roll takes no more room: without that, as many
        rolls as there is room for, all to an image that does not exist, would keep every correction out."""
        metadata = apply.manifest["metadata"]
        if self._cache.rolls((apply.manifest["kind"], metadata["namespace"], metadata["name"])):
            return True
        if self._cache.rolling() + len(self._about_to_roll) >= self._rolls_at_once:
            return False
        self._about_to_roll.add(key)
        return True

    async def write_status(self, resource: Resource, status: Mapping[str, Any]) -> None:
        """Patch the status, unless it says so already."""
        changes = patch(resource.status, status)
        if changes is None:
            return
        kind = object_kind(resource.key.kind)
        try:
            body = {"metadata": {"uid": resource.uid}, "status": changes}
            raw = await self._kube.merge(kind, resource.key.namespace, resource.key.name, body, subresource="status")
        except ApiError as error:
            if error.status in (404, 409):
                # Deleted meanwhile, or another object has taken the name: neither is ours to report on.
                logger.info("status not written: %s", error.message)
                return
            raise
        self._wrote(kind.name, raw)
        for key in self._cache.put_resource(resource_of(kind.name, raw)) - {resource.key}:
            self._enqueue(key)

    async def refuse(
        self, resource: Resource, trouble: Trouble, *, now: float, planned: Mapping[str, Any] | None = None
    ) -> None:
        """Report that only a person can fix this, and leave the rest of the status as it is.

        `planned` is the status that would have been written: whether the resource is Ready is taken from there, since
        pods come and go while the trouble lasts.
        """
        standing_now = (planned or resource.status).get("conditions") or ()
        ready = next((each for each in standing_now if each.get("type") == "Ready"), None)
        serves = ready is not None and ready.get("status") == "True"
        statement = (
            Statement("Ready", True, str(ready["reason"]), str(ready["message"]))
            if ready is not None and serves
            else Statement("Ready", False, trouble.reason, trouble.message)
        )
        statements, phase = standing(statement, trouble=trouble, progress=None)
        dated = conditions(statements, observed=observed_conditions(resource), generation=resource.generation, now=now)
        kept = {key: value for key, value in resource.status.items() if key not in ("conditions", "phase")}
        status = {**kept, "observedGeneration": resource.generation, "phase": phase, "conditions": dated}
        await self.write_status(resource, status)

    async def _apply_all(self, applies: list[Apply]) -> None:
        # The Deployment goes last: its pods mount the others, and retry slowly when they are not there yet.
        last = [each for each in applies if each.manifest["kind"] in (DEPLOYMENT.name, JOB.name)]
        await gather_all(*(self._apply(each) for each in applies if each not in last))
        await gather_all(*(self._apply(each) for each in last))

    async def _apply(self, apply: Apply) -> None:
        manifest = apply.manifest
        kind, metadata = manifest["kind"], manifest["metadata"]
        if apply.drift and apply.adopt:
            metrics.DRIFT.labels(kind).inc()
            logger.info(
                "putting right what was changed",
                extra={"object": f"{kind} {metadata['namespace']}/{metadata['name']}", "paths": apply.drift[:10]},
            )
        try:
            if apply.adopt and lost_items(apply.drift):
                raw = await self._kube.merge(object_kind(kind), metadata["namespace"], metadata["name"], manifest)
            else:
                raw = await self._kube.apply(manifest, force=apply.adopt)
        except ApiError as error:
            if error.status == 409 and not apply.adopt:
                raw = await self._adopt(apply, error)
            elif kind not in POD_FIELDS or not _is_of_the_content(error):
                raise
            elif kind == JOB.name and apply.adopt:
                # Made with other settings than today's, which a Job cannot take over; it runs as it was made.
                logger.warning("left as it is: %s", error.message)
                return
            else:
                raise InvalidPodError(kind, error) from error
        self._wrote(kind, raw)
        for key in self._cache.put_child(project(kind, raw)):
            self._enqueue(key)

    async def _adopt(self, apply: Apply, conflict: ApiError) -> dict[str, Any]:
        """There is an object that we did not know of: ours, with its labels lost, or a stranger's."""
        manifest = apply.manifest
        metadata = manifest["metadata"]
        found = await self._kube.get(object_kind(manifest["kind"]), metadata["namespace"], metadata["name"])
        owners = found["metadata"].get("ownerReferences") or () if found is not None else ()
        ours = metadata.get("ownerReferences", [])
        if any(owner["uid"] == mine["uid"] for owner in owners for mine in ours):
            return await self._kube.apply(manifest, force=True)
        raise NameTakenError(manifest["kind"], metadata["name"], conflict)

    async def _scale(self, scale: Scale) -> None:
        # Replicas and the memory of having written them in one write: an operator that dies in between two would
        # either fight whoever scales or never scale.
        body: dict[str, Any] = {"metadata": {"annotations": {SCALED_ANNOTATION: scale.remember}}}
        if scale.replicas is not None:
            body["spec"] = {"replicas": scale.replicas}
        raw = await self._kube.merge(DEPLOYMENT, scale.namespace, scale.deployment, body, manager=SCALE_MANAGER)
        self._wrote(DEPLOYMENT.name, raw)
        for key in self._cache.put_child(project(DEPLOYMENT.name, raw)):
            self._enqueue(key)

    async def _annotate(self, annotate: Annotate) -> None:
        child = annotate.child
        body = {"metadata": {"uid": child.uid, "annotations": dict(annotate.annotations)}}
        kind = object_kind(child.kind)
        raw = await self._kube.merge(kind, child.namespace, child.name, body, manager=REPORT_MANAGER)
        self._wrote(child.kind, raw)
        for key in self._cache.put_child(project(child.kind, raw)):
            self._enqueue(key)

    async def _delete(self, delete: Delete) -> None:
        child = delete.child
        propagation = "Foreground" if delete.foreground else "Background"
        kind = object_kind(child.kind)
        leaving = await self._kube.delete(kind, child.namespace, child.name, uid=child.uid, propagation=propagation)
        if leaving is not None:
            affected = self._cache.put_child(project(child.kind, leaving))
        else:
            affected = self._cache.drop_child(child.key, child.uid)
        for key in affected:
            self._enqueue(key)
        logger.info("deleted", extra={"object": f"{child.kind} {child.namespace}/{child.name}"})

    def _wrote(self, kind: str, raw: Mapping[str, Any]) -> None:
        metadata = raw["metadata"]
        self._watches.expect(kind, int(metadata["resourceVersion"]))


def _is_of_the_content(error: ApiError) -> bool:
    """Whether an object is refused for what is in it. An unknown field or a wrong type is a 500 of server-side apply
    (`structuredmerge.go` of k8s.io/apimachinery/pkg/util/managedfields)."""
    return error.reason == "Invalid" or error.message.startswith("failed to create typed patch object")


class RefusedError(Exception):
    """An object could not be applied, and only a person can fix that."""

    def __init__(self, trouble: Trouble, cause: ApiError) -> None:
        super().__init__(trouble.message)
        self.trouble = trouble
        self.cause = cause


class NameTakenError(RefusedError):
    """An object of the name that we need belongs to somebody else."""

    def __init__(self, kind: str, name: str, cause: ApiError) -> None:
        said = (
            f"There is a {kind} {name} that Slipway did not make and will not take over. Rename or delete it, or "
            "rename this resource."
        )
        super().__init__(Trouble("NameTaken", said), cause)


class InvalidPodError(RefusedError):
    """The API server refuses what the user put on the pods."""

    def __init__(self, kind: str, cause: ApiError) -> None:
        said = cause.message[:MESSAGE_MAX].rstrip(".")
        super().__init__(
            Trouble("InvalidPod", f"The API server refuses the pods: {said}. Correct {POD_FIELDS[kind]}."), cause
        )
