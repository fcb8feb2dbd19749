"""The connections that answers of an Agent take, and which of them NetworkPolicies do not allow.

Everything is looked for among Kubernetes objects: those of a cluster, or those that were rendered, where the template
of a Deployment stands for a pod of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slipway_crds.agents.destinations import Destination, destination
from slipway_crds.agents.members import asked_by
from slipway_crds.agents.model import Agent
from slipway_crds.contract import CHROMA_PORT, HTTP_PORT
from slipway_crds.meta import AGENT_LABEL, COMPONENT_LABEL, INDEX_LABEL
from tests.support.network_policies import Pod, connects

DNS = Pod("kube-system", {"k8s-app": "kube-dns"})
STORE_PORT = 5432
PUBLIC = ("203.0.113.7", "2606:4700::6810:85e5")


@dataclass(frozen=True)
class Connection:
    """One that is needed, with its purpose."""

    purpose: str
    source: Pod
    to: Pod | str
    port: int
    protocol: str = "TCP"


def closed(agent: Agent, objects: Sequence[Any]) -> list[str]:
    """The purposes of connections that the policies among the objects do not allow."""
    policies = [each for each in objects if each["kind"] == "NetworkPolicy"]
    return [
        each.purpose
        for each in needed(agent, objects)
        if not connects(policies, each.source, each.to, each.port, protocol=each.protocol)
    ]


def needed(agent: Agent, objects: Sequence[Any]) -> Iterator[Connection]:
    """Between each of the agent's pods and whatever its configuration names."""
    namespace, spec = agent.metadata.namespace, agent.spec
    gateways = _pods(objects, {COMPONENT_LABEL: "gateway"})
    members = list(asked_by(agent))
    for pod in _pods(objects, {AGENT_LABEL: agent.metadata.name}, namespace):
        yield Connection("names", pod, DNS, 53, "UDP")
        yield from (Connection("store", pod, to, STORE_PORT) for to in _pods(objects, {COMPONENT_LABEL: "postgres"}))
        yield from (Connection("questions", gateway, pod, HTTP_PORT) for gateway in gateways)
        yield from (
            Connection("operator", each, pod, HTTP_PORT) for each in _pods(objects, {COMPONENT_LABEL: "operator"})
        )
        for knowledge in spec.knowledge:
            for to in _pods(objects, {COMPONENT_LABEL: "index", INDEX_LABEL: knowledge.index_ref.name}, namespace):
                yield Connection(f"index {knowledge.index_ref.name}", pod, to, CHROMA_PORT)
        if members:
            yield from (Connection("gateway", pod, gateway, HTTP_PORT) for gateway in gateways)
        for model in spec.models:
            for where, port in _served(destination(model, namespace), objects):
                yield Connection(f"model {model.name}", pod, where, port)
    for member in members:
        for to in _pods(objects, {AGENT_LABEL: member}, namespace):
            yield from (Connection(f"member {member}", gateway, to, HTTP_PORT) for gateway in gateways)


def _served(to: Destination, objects: Sequence[Any]) -> list[tuple[Pod | str, int]]:
    """Where a model is served: the pods behind a Service with their own port, or addresses."""
    if not to.namespace:
        return [(address, to.port) for address in ([str(to.address)] if to.address else PUBLIC)]
    (service,) = [
        each
        for each in objects
        if each["kind"] == "Service"
        and (each["metadata"]["name"], each["metadata"]["namespace"]) == (to.host.partition(".")[0], to.namespace)
    ]
    (target,) = [each["targetPort"] for each in service["spec"]["ports"] if each["port"] == to.port]
    found = [
        (_pod(each), port["containerPort"])
        for each in _with_pods(objects, service["spec"]["selector"], to.namespace)
        for container in each["spec"]["containers"]
        for port in container.get("ports", ())
        if target in (port.get("name"), port["containerPort"])
    ]
    assert found, f"no pod is behind {to.host}"
    return list(found)


def _pods(objects: Sequence[Any], labels: Mapping[str, str], namespace: str = "") -> list[Pod]:
    found = [_pod(each) for each in _with_pods(objects, labels, namespace)]
    assert found, f"there is no pod with {labels}"
    return found


def _with_pods(objects: Sequence[Any], labels: Mapping[str, str], namespace: str) -> Iterator[Any]:
    """Pods, and templates of pods as if they were some, with these labels."""
    for each in objects:
        pod = each if each["kind"] == "Pod" else each.get("spec", {}).get("template")
        if pod is not None and labels.items() <= pod["metadata"].get("labels", {}).items():
            where = each["metadata"]["namespace"]
            if namespace in ("", where):
                yield {"metadata": {**pod["metadata"], "namespace": where}, "spec": pod["spec"]}


def _pod(found: Any) -> Pod:
    return Pod(found["metadata"]["namespace"], found["metadata"]["labels"])
