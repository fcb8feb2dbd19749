"""What users may put on the pods that Slipway makes: sizes, where they may run, and what they carry.

One model for three places: an Agent's pods, a VectorIndex's server and its ingestion Jobs. What the scheduler reads
(`affinity`, `tolerations`, `topologySpreadConstraints`) is passed through as it is: the API server that takes the pods
knows it better than a copy of its schema would, and the operator reports what it refuses.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from slipway_crds.fields import Bytes, Cpu, Local, Rule, SpecModel, SubdomainName, local, parse_quantity
from slipway_crds.meta import GROUP, MANAGED_BY_LABEL

NO_PODS: dict[str, Any] = local(Local.IGNORED, "There are no pods.")
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

    cpu: Annotated[
        Cpu | None,
        Field(
            description="CPU, for example 500m or 2.",
            json_schema_extra=local(Local.IGNORED, "The local process takes what the machine has."),
        ),
    ] = None
    memory: Annotated[
        Bytes | None,
        Field(
            description="Memory, for example 512Mi.",
            json_schema_extra=local(Local.IGNORED, "The local process takes what the machine has."),
        ),
    ] = None


def _within_limit(resource: str) -> Rule:
    def holds(resources: Mapping[str, Any]) -> bool:
        request = resources.get("requests", {}).get(resource)
        limit = resources.get("limits", {}).get(resource)
        return request is None or limit is None or parse_quantity(request) <= parse_quantity(limit)

    given = " || ".join(f"!has(self.{part}) || !has(self.{part}.{resource})" for part in ("requests", "limits"))
    return Rule(
        cel=f"{given} || quantity(self.requests.{resource}).compareTo(quantity(self.limits.{resource})) <= 0",
        message=f"must not be above limits.{resource}",
        holds=holds,
        field=f"requests.{resource}",
    )


class Resources(SpecModel):
    """Requests and limits of the pod's container."""

    requests: Annotated[
        ResourceList | None,
        Field(
            description="What the scheduler reserves for a pod.",
            json_schema_extra=local(Local.IGNORED, "Nothing is scheduled locally."),
        ),
    ] = None
    limits: Annotated[
        ResourceList | None,
        Field(
            description="What a pod may use at most.",
            json_schema_extra=local(Local.IGNORED, "Nothing is limited locally."),
        ),
    ] = None
    rules: ClassVar[tuple[Rule, ...]] = (_within_limit("cpu"), _within_limit("memory"))


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

    name: Annotated[
        SubdomainName,
        Field(
            description="Name of the Secret, in the namespace of the pods.",
            json_schema_extra=local(Local.IGNORED, "No image is pulled."),
        ),
    ]


class PodSettings(SpecModel):
    """How pods are made and where they may run."""

    resources: Annotated[
        Resources | None,
        Field(description="Requests and limits; unset parts come from the chart's values.", json_schema_extra=NO_PODS),
    ] = None
    node_selector: Annotated[
        dict[str, str] | None,
        Field(
            alias="nodeSelector",
            max_length=ENTRIES_MAX,
            description="Labels that a node must have.",
            json_schema_extra=NO_PODS,
        ),
    ] = None
    tolerations: Annotated[
        list[dict[str, Any]] | None,
        Field(
            max_length=ENTRIES_MAX,
            description="Taints of nodes that are tolerated, as in a pod.",
            json_schema_extra={"x-kubernetes-list-type": "atomic", **NO_PODS},
        ),
    ] = None
    affinity: Annotated[
        dict[str, Any] | None,
        Field(
            description="Which nodes and pods are preferred, required or avoided, as in a pod. Without"
            " `podAntiAffinity` an agent's pods prefer nodes and zones that no other pod of the agent is on.",
            json_schema_extra=NO_PODS,
        ),
    ] = None
    topology_spread_constraints: Annotated[
        list[dict[str, Any]] | None,
        Field(
            alias="topologySpreadConstraints",
            max_length=ENTRIES_MAX,
            description="How evenly pods are spread over nodes and zones, as in a pod.",
            json_schema_extra={"x-kubernetes-list-type": "atomic", **NO_PODS},
        ),
    ] = None
    priority_class_name: Annotated[
        SubdomainName | None,
        Field(
            alias="priorityClassName",
            description="PriorityClass of the pods.",
            json_schema_extra=NO_PODS,
        ),
    ] = None
    image_pull_secrets: Annotated[
        list[PullSecret] | None,
        Field(
            alias="imagePullSecrets",
            max_length=ENTRIES_MAX,
            description="Secrets to pull images with, besides those of the chart's `image.pullSecrets`.",
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                **local(Local.IGNORED, "No image is pulled."),
            },
        ),
    ] = None
    labels: Annotated[
        dict[str, str] | None,
        Field(
            max_length=ENTRIES_MAX,
            description="Labels of the pods, besides Slipway's own.",
            json_schema_extra=NO_PODS,
        ),
    ] = None
    annotations: Annotated[
        dict[str, str] | None,
        Field(max_length=ENTRIES_MAX, description="Annotations of the pods.", json_schema_extra=NO_PODS),
    ] = None
    service_account_name: Annotated[
        SubdomainName | None,
        Field(
            alias="serviceAccountName",
            description="A ServiceAccount of the namespace that the pods run as instead of Slipway's own. Its token is"
            " not mounted.",
            json_schema_extra=NO_PODS,
        ),
    ] = None
    rules: ClassVar[tuple[Rule, ...]] = (_not_reserved("labels"), _not_reserved("annotations"))
