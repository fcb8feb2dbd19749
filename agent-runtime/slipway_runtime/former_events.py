"""Events as versions before wrote them, in the shape that events have now.

Pods and gateways of two versions meet while an upgrade goes on. Those versions had no steps: what an attempt said stood
or fell as a whole.
"""

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]
NO_STEP = ""
"""The step of an event that names none."""


def as_now(json: Json) -> Json:
    """The event with the fields that it would have now; as it is where it has them."""
    match json.get("type"):
        case "done" if "finish" not in json:
            return {**json, "finish": "abstained" if json.get("abstained") else "stop"}
        case "usage" if "retrieved_chunks" in json:
            counted = {"chunks": json["retrieved_chunks"], "embedded_texts": json.get("embedded_texts", 0)}
            return {**json, "retrieval": counted}
        case "restarted" if "discard" not in json:
            return {**json, "attempt": 0, "discard": [NO_STEP]}  # the event's id has the attempt
        case "cancelled" if "reason" not in json:
            return {**json, "reason": "ByCaller", "message": "The run was cancelled."}
        case _:
            return json
