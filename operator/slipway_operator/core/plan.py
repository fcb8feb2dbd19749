"""What a plan is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from slipway_operator.core.cache import Resource
from slipway_operator.core.drift import APPLIED_ANNOTATION, drifted, stamp
from slipway_operator.core.inputs import Owner
from slipway_operator.core.manifests import JsonObject, Manifest
from slipway_operator.core.objects import JOB
from slipway_operator.core.projections import Child


@dataclass(frozen=True, kw_only=True)
class View:
    """A resource with what was made for it. A kind adds what else its decisions depend on."""

    resource: Resource
    children: tuple[Child, ...]

    @cached_property
    def by_kind_and_name(self) -> dict[tuple[str, str], Child]:
        """The children that are not on their way out."""
        return {(child.kind, child.name): child for child in self.children if not child.deleting}


@dataclass(frozen=True, kw_only=True)
class Apply:
    """An object to be applied. `adopt` is false where nothing of ours is known to be there, so that a stranger's
    object of the same name is left alone. `gated` rolls wait for their turn. `drift` is what somebody else changed."""

    manifest: Manifest
    adopt: bool
    gated: bool = False
    drift: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Replicas to be written, once, because `spec.scaling` changed; None only remembers what was seen."""

    namespace: str
    deployment: str
    replicas: int | None
    remember: str


@dataclass(frozen=True, kw_only=True)
class Delete:
    """An object that is no longer needed."""

    child: Child
    foreground: bool = False


@dataclass(frozen=True, kw_only=True)
class Annotate:
    """A fact that is kept on an object of ours because nothing else keeps it."""

    child: Child
    annotations: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to do, in this order: `apply`, `scale`, `annotate`, the status, `delete`."""

    status: JsonObject
    apply: tuple[Apply, ...] = ()
    scale: tuple[Scale, ...] = ()
    annotate: tuple[Annotate, ...] = ()
    delete: tuple[Delete, ...] = ()
    wake_after: float | None = None


def owner_of(resource: Resource) -> Owner:
    """The resource as the builders take it."""
    return Owner(kind=resource.key.kind, namespace=resource.key.namespace, name=resource.key.name, uid=resource.uid)


def changes(manifests: list[Manifest], children: Mapping[tuple[str, str], Child], owner_uid: str) -> list[Apply]:
    """Those of the manifests that are missing, out of date or tampered with. `children` are keyed by kind and name."""
    needed = []
    for manifest in manifests:
        stamped = stamp(manifest)
        child = children.get((manifest["kind"], manifest["metadata"]["name"]))
        if child is None:
            needed.append(Apply(manifest=stamped, adopt=False))
            continue
        drift = drifted(stamped, child.owned)
        outdated = child.applied != stamped["metadata"].get("annotations", {})[APPLIED_ANNOTATION]
        if outdated and manifest["kind"] == JOB.name and _stamp_is_ours(drift):
            continue  # an older operator made it, and its template cannot be changed: it is left as it was made
        if drift or outdated:
            adopt = bool(child.owned) or child.owner_uid == owner_uid
            # What is new in a newer manifest is nobody's doing but ours.
            needed.append(Apply(manifest=stamped, adopt=adopt, drift=() if outdated else drift))
    return needed


def _stamp_is_ours(drift: tuple[str, ...]) -> bool:
    """Whether nobody but us wrote the hash that records what was applied, or removed what it is in."""
    where = f".metadata.annotations.{APPLIED_ANNOTATION}"
    return not any(path == where or where.startswith(f"{path}.") for path in drift)


def observed_conditions(resource: Resource) -> list[Mapping[str, Any]]:
    """The conditions that are in the status now."""
    return list(resource.status.get("conditions") or ())
