"""Kubernetes Events: for what happens once and leaves no trace in a status."""

import logging
import time
import uuid

from slipway_crds.meta import API_VERSION
from slipway_operator.core.cache import Resource
from slipway_operator.core.conditions import timestamp
from slipway_operator.core.drift import FIELD_MANAGER
from slipway_operator.core.kube import ApiError, KubeClient
from slipway_operator.core.objects import EVENT

logger = logging.getLogger(__name__)


async def announce(kube: KubeClient, resource: Resource, *, reason: str, message: str) -> None:
    """A Warning about a resource. A refusal is logged and nothing else: a namespace that goes takes no Events."""
    key, now = resource.key, timestamp(time.time())
    event = {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.name,
        "metadata": {"name": f"{key.name}.{uuid.uuid4().hex[:16]}", "namespace": key.namespace},
        "type": "Warning",
        "reason": reason,
        "message": message[:1024],
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
        "source": {"component": FIELD_MANAGER},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": key.kind,
            "namespace": key.namespace,
            "name": key.name,
            "uid": resource.uid,
        },
    }
    try:
        await kube.post(EVENT, key.namespace, event)
    except ApiError as error:
        logger.warning("event %s not written: %s", reason, error)
