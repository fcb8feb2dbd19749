"""When the operator writes `replicas`: when `spec.scaling` changes, and for a new revision, and never else.

`kubectl scale`, autoscalers and KEDA are not fought, so what was last written for `spec.scaling` is remembered on the
Deployment and compared, instead of the replicas themselves.
"""

from slipway_crds.agents.model import Scaling
from slipway_operator.core.plan import Scale
from slipway_operator.core.projections import SCALED_ANNOTATION, Child, DeploymentState

AUTOSCALED = "auto"
AUTOSCALER_MANAGER = "kube-controller-manager"
"""Field manager of `spec.replicas` where a HorizontalPodAutoscaler, ours or another's, has written it."""
DEFAULT_REPLICAS = 1
"""What a Deployment that is applied without `replicas` gets."""


def autoscaled(scaling: Scaling) -> bool:
    """Whether the agent has an autoscaler of its own."""
    return scaling.max is not None and scaling.max > scaling.min


def scale_for(deployment: Child, scaling: Scaling, *, serving: Child | None) -> Scale | None:
    """What to write to this Deployment. `serving` is the one that it is to take over from, if it is a candidate."""
    state = deployment.detail
    if not isinstance(state, DeploymentState):
        return None
    desired = AUTOSCALED if autoscaled(scaling) else str(scaling.min)
    remembered = deployment.annotations.get(SCALED_ANNOTATION)
    takes_over = serving is not None and serving.key != deployment.key
    if remembered == desired or (remembered is None and not takes_over and desired == str(DEFAULT_REPLICAS)):
        return None
    replicas = _replicas(state, scaling, serving if takes_over else None)
    if remembered is None and replicas == state.replicas and desired == str(DEFAULT_REPLICAS):
        return None
    if state.scaled_by == AUTOSCALER_MANAGER and remembered != AUTOSCALED:
        replicas = None
    return Scale(namespace=deployment.namespace, deployment=deployment.name, replicas=replicas, remember=desired)


def _replicas(state: DeploymentState, scaling: Scaling, serving: Child | None) -> int | None:
    if serving is not None and isinstance(serving.detail, DeploymentState):
        return max(scaling.min, serving.detail.replicas)
    if autoscaled(scaling):
        return min(max(scaling.min, state.replicas), scaling.max or scaling.min)
    return scaling.min
