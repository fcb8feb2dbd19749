"""Reading why pods are refused, from the Events of their StatefulSet or Job."""

import logging
from collections.abc import Sequence

from slipway_operator.core.kube import ApiError, KubeClient
from slipway_operator.core.projections import Child, creation_events
from slipway_operator.core.refusals import refusal

logger = logging.getLogger(__name__)


async def refusal_of(kube: KubeClient, owner: Child, children: Sequence[Child]) -> str:
    """The API server's words about the owner's pods; empty if it refused none. Best effort: the status says less."""
    try:
        events = await kube.events_about(owner.namespace, owner.uid)
    except ApiError as error:
        logger.warning("cannot read the Events of %s %s/%s: %s", owner.kind, owner.namespace, owner.name, error)
        return ""
    return refusal(owner, children, creation_events(events))
