"""What users may put on the pods that Slipway makes: sizes, where they may run, and what they carry.

One model for three places: an Agent's pods, a VectorIndex's server and its ingestion Jobs. What the scheduler reads
(`affinity`, `tolerations`, `topologySpreadConstraints`) is passed through as it is: the API server that takes the pods
knows it better than a copy of its schema would, and the operator reports what it refuses.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import Field

from slipway_crds.fields import ATOMIC, BY_NAME, Bytes, Cpu, Rule, SpecModel, SubdomainName, ignored
from slipway_crds.meta import GROUP, MANAGED_BY_LABEL
from slipway_crds.rules import quantity_not_above

NO_PODS = ignored("There are no pods.")
ENTRIES_MAX = 32
"""Of each map and list here: rules go through the labels, and the API server bounds what a rule may cost."""

CONTROLLER_KEYS = (
    MANAGED_BY_LABEL,
    "pod-template-hash",
    "controller-revision-hash",
    "controller-uid",
    "job-name",
)
CONTROLLER_DOMAINS = (GROUP, "statefulset.kubernetes.io", "apps.kubernetes.io", "batch.kubernetes.io")
"""Domains of keys by which Slipway, Kubernetes' controllers and NetworkPolicies tell pods apart."""


class ResourceList(SpecModel):
    """CPU and memory, as Kubernetes writes quantities."""

    local = ignored("The local process takes what the machine has.")

    cpu: Cpu | None = None
    """CPU, for example 500m or 2."""
    memory: Bytes | None = None
    """Memory, for example 512Mi."""


class Resources(SpecModel):
    """Requests and limits of the pod's container."""

    rules = tuple(quantity_not_above(f"requests.{each}", f"limits.{each}") for each in ("cpu", "memory"))

    requests: Annotated[ResourceList | None, ignored("Nothing is scheduled locally.")] = None
    """What the scheduler reserves for a pod."""
    limits: Annotated[ResourceList | None, ignored("Nothing is limited locally.")] = None
    """What a pod may use at most."""


def is_reserved(key: str) -> bool:
    """Whether a label or annotation decides what a pod belongs to or may reach, so that only Slipway may set it."""
    domain = key.partition("/")[0] if "/" in key else ""
    return key in CONTROLLER_KEYS or domain in CONTROLLER_DOMAINS or domain.endswith(f".{GROUP}")


def _not_reserved(field: str) -> Rule:
    def holds(settings: Mapping[str, Any]) -> bool:
        return not any(is_reserved(key) for key in settings.get(field, {}))

    return Rule(
        cel=f"!has(self.{field}) || self.{field}.all(key, !(key in [{_quoted(CONTROLLER_KEYS)}])"
        f" && !(key.find('^[^/]*/') in [{_quoted(f'{domain}/' for domain in CONTROLLER_DOMAINS)}])"
        f" && !key.find('^[^/]*/').endsWith('.{GROUP}/'))",
        message=f"must not set {MANAGED_BY_LABEL}, a key of {GROUP} or of its subdomains, or a key by which Kubernetes"
        " selects pods: remove it",
        holds=holds,
        field=field,
    )


def _quoted(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


class PullSecret(SpecModel):
    """A reference to a Secret with credentials for an image registry."""

    local = ignored("No image is pulled.")

    name: SubdomainName
    """Name of the Secret, in the namespace of the pods."""


Strings = Annotated[dict[str, str] | None, Field(max_length=ENTRIES_MAX)]
PassedThrough = Annotated[list[dict[str, Any]] | None, Field(max_length=ENTRIES_MAX), ATOMIC]


class PodSettings(SpecModel):
    """How pods are made and where they may run."""

    local = NO_PODS
    rules = (_not_reserved("labels"), _not_reserved("annotations"))

    resources: Resources | None = None
    """Requests and limits; unset parts come from the chart's values."""
    node_selector: Strings = None
    """Labels that a node must have."""
    tolerations: PassedThrough = None
    """Taints of nodes that are tolerated, as in a pod."""
    affinity: dict[str, Any] | None = None
    """Which nodes and pods are preferred, required or avoided, as in a pod. Without `podAntiAffinity` an agent's pods
    prefer nodes and zones that no other pod of the agent is on."""
    topology_spread_constraints: PassedThrough = None
    """How evenly pods are spread over nodes and zones, as in a pod."""
    priority_class_name: SubdomainName | None = None
    """PriorityClass of the pods."""
    image_pull_secrets: Annotated[
        list[PullSecret] | None, Field(max_length=ENTRIES_MAX), BY_NAME, ignored("No image is pulled.")
    ] = None
    """Secrets to pull images with, besides those of the chart's `image.pullSecrets`."""
    labels: Strings = None
    """Labels of the pods, besides Slipway's own."""
    annotations: Strings = None
    """Annotations of the pods."""
    service_account_name: SubdomainName | None = None
    """A ServiceAccount of the namespace that the pods run as instead of Slipway's own. Its token is not mounted."""
