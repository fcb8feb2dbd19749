"""The kinds of object that the operator touches, and where the API server keeps them.

One table, read by the watches, the API client and the builders, so that a kind is added in one place.
"""

from dataclasses import dataclass

from slipway_crds.meta import GROUP, VERSION
from slipway_crds.registry import OWNER_KINDS


@dataclass(frozen=True)
class ObjectKind:
    """A kind of object. All but Namespace are namespaced."""

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


CONFIG_MAP = ObjectKind("ConfigMap", "", "v1", "configmaps")
SERVICE = ObjectKind("Service", "", "v1", "services")
SERVICE_ACCOUNT = ObjectKind("ServiceAccount", "", "v1", "serviceaccounts")
SECRET = ObjectKind("Secret", "", "v1", "secrets")
NAMESPACE = ObjectKind("Namespace", "", "v1", "namespaces")
POD = ObjectKind("Pod", "", "v1", "pods")
EVENT = ObjectKind("Event", "", "v1", "events")
DEPLOYMENT = ObjectKind("Deployment", "apps", "v1", "deployments")
STATEFUL_SET = ObjectKind("StatefulSet", "apps", "v1", "statefulsets")
JOB = ObjectKind("Job", "batch", "v1", "jobs")
POD_DISRUPTION_BUDGET = ObjectKind("PodDisruptionBudget", "policy", "v1", "poddisruptionbudgets")
AUTOSCALER = ObjectKind("HorizontalPodAutoscaler", "autoscaling", "v2", "horizontalpodautoscalers")
NETWORK_POLICY = ObjectKind("NetworkPolicy", "networking.k8s.io", "v1", "networkpolicies")
LEASE = ObjectKind("Lease", "coordination.k8s.io", "v1", "leases")

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
FIXED = {kind.name: kind for kind in (*CHILDREN, SECRET, POD, EVENT, LEASE, NAMESPACE)}
"""Kubernetes' own kinds that the operator touches, by name."""


def owner_kinds() -> tuple[ObjectKind, ...]:
    """The kinds that users write."""
    return tuple(ObjectKind(kind.name, GROUP, VERSION, kind.plural) for kind in OWNER_KINDS.values())


def object_kind(name: str) -> ObjectKind:
    """A kind by its name.

    Raises:
        KeyError: if the operator has nothing to do with it.
    """
    fixed = FIXED.get(name)
    return fixed or ObjectKind(name, GROUP, VERSION, OWNER_KINDS[name].plural)
