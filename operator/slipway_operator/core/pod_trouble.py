"""What is the matter with pods that do not become ready, in their own words."""

from collections.abc import Iterable

from slipway_operator.core.conditions import Trouble
from slipway_operator.core.projections import Child, DeploymentState, PodState

PODS_REFUSED = "PodsRefused"
_PULL = frozenset({"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"})
_CONFIG = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError"})


def trouble_of(pods: Iterable[Child], *, past: str) -> Trouble | None:
    """Trouble of the first pod that has some. `past` is said after it, such as for how long it has been waited.

    A pod that merely is not ready has none: it waits for something, and will resolve by itself.
    """
    for child in pods:
        if isinstance(child.detail, PodState) and not child.deleting and not child.detail.ready:
            found = pod_trouble(child.name, child.detail)
            if found is not None:
                return Trouble(found.reason, f"{found.message} {past}".strip())
    return None


def pod_trouble(name: str, pod: PodState) -> Trouble | None:
    """Why this pod cannot run, if a person has to see to it."""
    reason, message = pod.waiting
    if reason in _PULL:
        return Trouble(
            "ImagePullFailed",
            f"Pod {name}: {reason}: {message or 'the image cannot be pulled'}. "
            "Check the image's name and the pull secret.",
        )
    if reason in _CONFIG:
        return Trouble("PodCannotStart", f"Pod {name}: {reason}: {message}.")
    if reason == "CrashLoopBackOff" or (pod.restarts > 0 and not _was_ready(pod)):
        return Trouble(
            "PodCrashing",
            f"Pod {name} has ended {pod.restarts} times: {ending(pod)}. Read kubectl logs {name} --previous.",
        )
    if pod.unschedulable:
        return Trouble("PodUnschedulable", f"Pod {name}: {pod.unschedulable}.")
    return None


def _was_ready(pod: PodState) -> bool:
    """Whether the container that runs now was ready before. If so, what ended the one before it is over."""
    return 0 < pod.running_since < pod.readiness_since


def ending(pod: PodState) -> str:
    """How the container ended last, with its last words."""
    reason, code, words = pod.ended
    said = last_words(words)
    return f"{reason or 'Error'}, exit code {code}" + (f": {said}" if said else "")


def last_words(text: str) -> str:
    """The end of a log or of a termination message, on one line."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return " / ".join(lines[-3:])[-600:]


def refused(deployment: DeploymentState) -> Trouble | None:
    """Pods that the API server does not even let be made: a quota, an admission rule."""
    failure = deployment.conditions.get("ReplicaFailure")
    if failure is None or not failure.holds:
        return None
    return pods_refused(failure.message)


def pods_refused(words: str) -> Trouble:
    """The API server's words about pods that it does not create."""
    return Trouble(
        PODS_REFUSED,
        f"Pods cannot be created: {words.rstrip('.')}. Raise the quota, or change what the rule asks of the pods.",
    )
