"""The kinds of object that the operator touches, and where the API server keeps them.

One table, read by the watches, the API client and the builders, so that a kind is added in one place.
"""

from dataclasses import dataclass

from slipway_crds.agent import Agent
from slipway_crds.meta import GROUP, VERSION
from slipway_crds.vectorindex import VectorIndex


@dataclass(frozen=True)
class Kind:
    """A kind of object. All but Namespace have one."""

    name: str
    group: str
    version: str
    plural: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """URL path of an object, or of all of them in a namespace (None: in the cluster)."""
        parts = ["/apis", self.group, self.version] if self.group else ["/api", self.version]
        if namespace is not None:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part]
        return "/".join(parts)


AGENT = Kind("Agent", GROUP, VERSION, Agent.PLURAL)
VECTOR_INDEX = Kind("VectorIndex", GROUP, VERSION, VectorIndex.PLURAL)
CONFIG_MAP = Kind("ConfigMap", "", "v1", "configmaps")
SERVICE = Kind("Service", "", "v1", "services")
SERVICE_ACCOUNT = Kind("ServiceAccount", "", "v1", "serviceaccounts")
SECRET = Kind("Secret", "", "v1", "secrets")
NAMESPACE = Kind("Namespace", "", "v1", "namespaces")
POD = Kind("Pod", "", "v1", "pods")
EVENT = Kind("Event", "", "v1", "events")
DEPLOYMENT = Kind("Deployment", "apps", "v1", "deployments")
STATEFUL_SET = Kind("StatefulSet", "apps", "v1", "statefulsets")
JOB = Kind("Job", "batch", "v1", "jobs")
POD_DISRUPTION_BUDGET = Kind("PodDisruptionBudget", "policy", "v1", "poddisruptionbudgets")
AUTOSCALER = Kind("HorizontalPodAutoscaler", "autoscaling", "v2", "horizontalpodautoscalers")
NETWORK_POLICY = Kind("NetworkPolicy", "networking.k8s.io", "v1", "networkpolicies")
LEASE = Kind("Lease", "coordination.k8s.io", "v1", "leases")

OWNERS = (AGENT, VECTOR_INDEX)
"""The kinds that users write."""
CHILDREN = (
    CONFIG_MAP,
    SERVICE,
    SERVICE_ACCOUNT,
    DEPLOYMENT,
    STATEFUL_SET,
    JOB,
    POD_DISRUPTION_BUDGET,
    AUTOSCALER,
    NETWORK_POLICY,
)
"""The kinds that the operator makes and keeps right. Secrets are missing: they are created and never read."""
KINDS = {kind.name: kind for kind in (*OWNERS, *CHILDREN, SECRET, POD, EVENT, LEASE, NAMESPACE)}
