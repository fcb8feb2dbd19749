"""How many workers a namespace has: as many as its runs need, and no more changes than that takes."""

import math

from slipway_crds.workflows.report import WorkerReport
from slipway_operator.core.plan import Scale
from slipway_operator.core.projections import SCALED_ANNOTATION, Child, DeploymentState

AUTOSCALER_MANAGER = "kube-controller-manager"
"""Field manager of `spec.replicas` where a HorizontalPodAutoscaler has written it: then it decides."""
SLACK = 0.5
"""A worker goes only if the others are then busy to this share at most."""


def wanted(current: int, report: WorkerReport, *, least: int, most: int) -> int:
    """Workers for the runs that there are. One goes at a time, and only while no run waits."""
    needed = math.ceil((report.queued + report.running) / report.capacity)
    if report.queued and needed > current:
        return max(least, min(needed, most))
    if not report.queued and current > least and report.running <= (current - 1) * report.capacity * SLACK:
        return max(least, min(current - 1, most))
    return max(least, min(current, most))


def scale_for(deployment: Child, report: WorkerReport | None, *, least: int, most: int) -> Scale | None:
    """What to write to the workers' Deployment; None to leave it."""
    state = deployment.detail
    if not isinstance(state, DeploymentState) or state.scaled_by == AUTOSCALER_MANAGER:
        return None
    remember = f"{least}-{most}"
    if report is None or least == most:
        # Nobody knows how much there is to do, or it does not matter: the bounds are written once.
        if deployment.annotations.get(SCALED_ANNOTATION) == remember or least <= state.replicas <= most:
            return None
        replicas = max(least, min(state.replicas, most))
    else:
        replicas = wanted(state.replicas, report, least=least, most=most)
        if replicas == state.replicas:
            return None
    return Scale(namespace=deployment.namespace, deployment=deployment.name, replicas=replicas, remember=remember)
