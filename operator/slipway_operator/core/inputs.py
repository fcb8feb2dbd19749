"""What the builders are given besides the resource itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway_crds import contract
from slipway_crds.meta import API_VERSION, COMPONENT_LABEL, MANAGED_BY, MANAGED_BY_LABEL
from slipway_operator.core.manifests import Manifest, ObjectMeta, OwnerReference
from slipway_operator.core.objects import SERVICE_ACCOUNT, ObjectKind

POD_USER = 65532
"""User and group of every Slipway image."""


@dataclass(frozen=True, kw_only=True)
class BuildSettings:
    """The installation's part of every object: images, addresses, sizes."""

    runtime_image: str
    chroma_image: str
    image_pull_secrets: tuple[str, ...] = ()
    image_pull_policy: str = "IfNotPresent"
    release_namespace: str = "slipway-system"
    gateway_url: str = contract.GATEWAY_URL
    host_resources: Mapping[str, Any] = field(default_factory=dict)
    index_resources: Mapping[str, Any] = field(default_factory=dict)
    ingest_resources: Mapping[str, Any] = field(default_factory=dict)
    worker_resources: Mapping[str, Any] = field(default_factory=dict)
    worker_scale: tuple[int, int] = (1, 4)
    """Workers of a namespace: at least and at most."""
    pod_env: tuple[Mapping[str, Any], ...] = ()
    ca_config_map: str = ""
    network_policies: bool = True
    identity_anchor: str = ""
    store_port: int = 5432
    connections_per_namespace: int = 60
    rollout_deadline: int = 120
    host_tls_secret: str = ""
    """Of each namespace with hosts or connectors, which speak TLS with it; empty where they speak plain HTTP."""


@dataclass(frozen=True, kw_only=True)
class Owner:
    """The Agent or VectorIndex that objects are built for."""

    kind: str
    namespace: str
    name: str
    uid: str

    def reference(self) -> OwnerReference:
        return {
            "apiVersion": API_VERSION,
            "kind": self.kind,
            "name": self.name,
            "uid": self.uid,
            "controller": True,
            # Deleting an owner in the foreground would otherwise need rights on its finalizers.
            "blockOwnerDeletion": False,
        }


def labels(component: str, more: Mapping[str, str]) -> dict[str, str]:
    """The labels of a child: how the watches, the policies and people find it."""
    return {MANAGED_BY_LABEL: MANAGED_BY, COMPONENT_LABEL: component, **more}


@dataclass(frozen=True, kw_only=True)
class Owners:
    """All objects of a kind in a namespace, for what they have together: it goes with the last one."""

    kind: str
    namespace: str
    uids: Mapping[str, str]
    """By name."""

    def references(self) -> list[OwnerReference]:
        """None of them is the controller."""
        each = (Owner(kind=self.kind, namespace=self.namespace, name=name, uid=uid) for name, uid in self.uids.items())
        return [{**owner.reference(), "controller": False} for owner in sorted(each, key=lambda owner: owner.name)]


def child(kind: ObjectKind, name: str, owner: Owner | Owners, labels: Mapping[str, str]) -> Manifest:
    """An object that belongs to the owner, or to all of the owners, still without content."""
    metadata: ObjectMeta = {
        "name": name,
        "namespace": owner.namespace,
        "labels": dict(labels),
        "ownerReferences": owner.references() if isinstance(owner, Owners) else [owner.reference()],
    }
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata}


def service_account(name: str, owner: Owner | Owners, labels: Mapping[str, str]) -> Manifest:
    """What the owner's pods run as: an account without a token."""
    account = child(SERVICE_ACCOUNT, name, owner, labels)
    account["automountServiceAccountToken"] = False
    return account
