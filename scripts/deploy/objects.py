"""What is started alongside the release that helm owns. Pure.

A pod meets callers if it has both labels that the gateway's Service selects by. Agents let it in by one of them, the
component. So a canary has both, and the blue/green candidate has another value of the first until it is switched to.
"""

import copy
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from slipway_demo.errors import DemoError

Object = dict[str, Any]
GATEWAY, CANDIDATE = "slipway-gateway", "slipway-gateway-candidate"
PART_OF, COMPONENT, TRACK = "app.kubernetes.io/part-of", "slipway.dev/component", "slipway.dev/track"
LIVE, WAITING = "slipway", "slipway-candidate"
"""Values of the label part-of: whom the Service leads to, and who waits alongside."""
CANDIDATES = {COMPONENT: "gateway", TRACK: "candidate"}


class Strategy(StrEnum):
    """How callers meet a new release."""

    ROLLING = "rolling"
    BLUE_GREEN = "blue-green"
    CANARY = "canary"


def gateway_of(rendered: Iterable[Object | None]) -> Object:
    """The gateway's Deployment among the chart's objects. Raises DemoError where it is missing."""
    for each in filter(None, rendered):
        if each["kind"] == "Deployment" and each["metadata"]["name"] == GATEWAY:
            return each
    raise DemoError(f"the chart renders no Deployment {GATEWAY}: is it this repository's chart?")


def candidate(gateway: Object, strategy: Strategy, *, replicas: int) -> Object:
    """The new release's gateway under a name of its own: one pod as a canary, as many as are live for blue/green."""
    made = copy.deepcopy(gateway)
    labels = {**CANDIDATES, PART_OF: LIVE if strategy is Strategy.CANARY else WAITING}
    own = {**labels, "app.kubernetes.io/managed-by": "scripts.deploy"}
    made["metadata"]["name"] = CANDIDATE
    made["metadata"]["labels"] |= own
    made["spec"]["template"]["metadata"]["labels"] |= own
    made["spec"]["selector"]["matchLabels"] = labels
    made["spec"]["replicas"] = 1 if strategy is Strategy.CANARY else replicas
    return made


def replacement(live: Object, gateway: Object) -> Object:
    """The gateway's Deployment to put in the place of the live one.

    What helm and the cluster noted on it stays, and it never has fewer pods than serve now: helm sets their number.
    """
    made = copy.deepcopy(gateway)
    made["metadata"]["annotations"] = live["metadata"].get("annotations", {}) | made["metadata"].get("annotations", {})
    made["spec"]["replicas"] = max(live["spec"]["replicas"], gateway["spec"]["replicas"])
    return made


def leads_to(part_of: str) -> Object:
    """The change of the gateway's Service that sends callers to one side."""
    return {"spec": {"selector": {PART_OF: part_of}}}
