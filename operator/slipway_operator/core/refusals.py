"""Pods that are refused: a StatefulSet and a Job have no condition for it, so what is known is in their Events."""

from collections.abc import Iterable, Sequence

from slipway_operator.core.objects import POD
from slipway_operator.core.projections import Child, CreationEvent, PodState

DUE_SECONDS = 10.0
"""After its StatefulSet or Job was made, a pod should exist."""


def without_pods(owners: Iterable[Child | None], children: Sequence[Child], *, now: float) -> list[Child]:
    """Those of the StatefulSets and Jobs that should have a pod and have none."""
    with_pods = {child.owner_uid for child in children if child.kind == POD.name and not _ended(child)}
    waiting = [owner for owner in owners if owner is not None and not owner.deleting and owner.uid not in with_pods]
    return [owner for owner in waiting if now >= owner.created + DUE_SECONDS]


def refusal(owner: Child, children: Sequence[Child], events: Sequence[CreationEvent]) -> str:
    """The API server's words about the pod that it refused last; empty if a pod was created since, or none refused.

    Args:
        owner: the StatefulSet or Job.
        children: among which its pods are.
        events: of the owner.
    """
    newest = max((event for event in events if event.failed), key=lambda event: event.at, default=None)
    created = [event.at for event in events if not event.failed]
    created += [child.created for child in children if child.kind == POD.name and child.owner_uid == owner.uid]
    # Times are in whole seconds. In the same second a volume may have been created, and then the pod refused.
    return newest.message if newest is not None and newest.at >= max(created, default=0.0) else ""


def _ended(pod: Child) -> bool:
    return isinstance(pod.detail, PodState) and pod.detail.phase in ("Succeeded", "Failed")
