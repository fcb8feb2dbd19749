"""Whether the agents have followed a release. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from slipway_demo.conditions import ObjectSummary, kind_view, workload_view

Object = Mapping[str, Any]


def views(agents: Iterable[Object], deployments: Iterable[Object], digest: str) -> list[ObjectSummary]:
    """Each agent, ready once it serves from the image with that digest and the operator has nothing left to do or say.

    Ready alone is not enough: it holds while the old revision serves, also after the new one was refused, while pods
    are replaced, and until the new operator has looked.
    """
    owned = {(each["metadata"]["namespace"], each["metadata"]["name"]): each for each in deployments}
    return [_view(agent, owned, digest) for agent in agents]


def _view(agent: Object, deployments: Mapping[tuple[str, str], Object], digest: str) -> ObjectSummary:
    found, status = kind_view(agent), agent.get("status", {})
    namespace = agent["metadata"]["namespace"]
    name = f"{namespace}/{agent['metadata']['name']}"
    if status.get("phase") == "Paused":
        return ObjectSummary(name, ready=True, text="paused: it stays as it is")
    if not found.ready:
        return ObjectSummary(name, ready=False, text=found.text)
    for condition in status["conditions"]:
        if condition["type"] in ("Reconciling", "Stalled") and condition["status"] == "True":
            return ObjectSummary(name, ready=False, text=f"{condition['reason']}: {condition['message']}")
    # A revision's objects have its name.
    serving = next((each["name"] for each in status.get("revisions", ()) if each["state"] == "Serving"), "")
    deployment = deployments.get((namespace, serving))
    if deployment is None or not _image(deployment).endswith(f"@{digest}"):
        return ObjectSummary(name, ready=False, text=f"revision {serving} does not run the image of this release yet")
    pods = workload_view(deployment)
    return ObjectSummary(name, ready=pods.ready, text=found.text if pods.ready else pods.text)


def _image(deployment: Object) -> str:
    return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])
