"""What the operator knows of the cluster: objects of our kinds, their children, namespaces, and ConfigMaps' versions.

Filled by a listing before the first decision and by the watches afterwards, and by the answers to our own writes, so
that a decision never rests on a state that is older than our last write. All access is from one event loop.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from slipway_crds.contract import STORE_SECRET_PREFIX
from slipway_crds.meta import PAUSED_ANNOTATION, CustomObject
from slipway_crds.references import Ref
from slipway_crds.registry import KINDS, OWNER_KINDS
from slipway_operator.core.namespaces import Namespace, Namespaces
from slipway_operator.core.objects import CONFIG_MAP, DEPLOYMENT, NAMESPACE
from slipway_operator.core.projections import Child, DeploymentState

TERMINATING = "Terminating"
"""Kubernetes' word for a namespace that goes."""
ResourceKey = Ref
"""One of our resources."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """An object of one of our kinds as it is on the API server."""

    key: ResourceKey
    uid: str
    version: int
    generation: int
    deleting_since: str
    finalizers: tuple[str, ...]
    paused: bool
    model: CustomObject | None
    """None if the object does not fit this version of the kind."""
    error: str
    status: Mapping[str, Any]
    created: str = ""
    """As the API server writes it (RFC 3339)."""

    @property
    def references(self) -> frozenset[Ref]:
        """What it refers to; its namespace always."""
        namespace = Ref(NAMESPACE.name, "", self.key.namespace)
        own = OWNER_KINDS[self.key.kind].references(self.model) if self.model is not None else ()
        return frozenset((namespace, *own))


def resource_of(kind: str, raw: Mapping[str, Any]) -> Resource:
    """The raw object, parsed."""
    metadata = raw["metadata"]
    model: CustomObject | None = None
    error = ""
    try:
        plain = {key: value for key, value in raw.items() if key in ("kind", "metadata", "spec")}
        model = KINDS[kind].model_validate({**plain, "kind": kind})
    except ValidationError as problem:
        error = "; ".join(f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in problem.errors())
    return Resource(
        key=ResourceKey(kind, metadata["namespace"], metadata["name"]),
        uid=metadata["uid"],
        version=int(metadata["resourceVersion"]),
        generation=int(metadata.get("generation", 0)),
        deleting_since=metadata.get("deletionTimestamp", ""),
        finalizers=tuple(metadata.get("finalizers") or ()),
        paused=(metadata.get("annotations") or {}).get(PAUSED_ANNOTATION) == "true",
        model=model,
        error=error,
        status=raw.get("status") or {},
        created=metadata.get("creationTimestamp") or "",
    )


@dataclass(frozen=True, kw_only=True)
class Referenced:
    """What those who refer to an object decide by: not the progress it makes."""

    exists: bool = False
    uid: str = ""
    model: CustomObject | None = None
    ready: bool = False
    reason: str = ""
    message: str = ""
    """Of its Ready condition; for people, so that a change of it alone is no reason to decide again."""
    version: str = ""
    """Identity and version of an object of which nothing else is known: a ConfigMap."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What its kind's row says."""

    @property
    def decisive(self) -> tuple[object, ...]:
        """What a change of matters to those who refer to it."""
        own = OWNER_KINDS[type(self.model).__name__].references(self.model) if self.model is not None else ()
        refers = frozenset(ref for ref in own if ref.kind in OWNER_KINDS)
        return (
            self.exists,
            self.uid,
            self.model is None,
            self.ready,
            self.reason,
            self.version,
            dict(self.facts),
            refers,
        )


def referenced(resource: Resource | None) -> Referenced:
    """A resource as others see it."""
    if resource is None:
        return Referenced()
    conditions = resource.status.get("conditions") or ()
    ready: Mapping[str, str] = next((each for each in conditions if each.get("type") == "Ready"), {})
    return Referenced(
        exists=True,
        uid=resource.uid,
        model=resource.model,
        ready=ready.get("status") == "True",
        reason=ready.get("reason", ""),
        message=ready.get("message", ""),
        facts=OWNER_KINDS[resource.key.kind].facts(resource.status),
    )


def _namespace_referenced(namespace: Namespace | None) -> Referenced:
    """A namespace as those see it who are in it."""
    if namespace is None:
        return Referenced()
    return Referenced(
        exists=True,
        uid=namespace.uid,
        ready=not namespace.deleting,
        reason=TERMINATING if namespace.deleting else "",
        facts={"login": namespace.login},
    )


class Cache:
    """Look-ups by key, by namespace and by owner. Methods that change it return the keys that are affected."""

    def __init__(self) -> None:
        self._resources: dict[ResourceKey, Resource] = {}
        self._referrers: dict[Ref, set[ResourceKey]] = defaultdict(set)
        """Resources by what they refer to."""
        self._children: dict[tuple[str, str, str], Child] = {}
        self._by_owner: dict[ResourceKey, set[tuple[str, str, str]]] = defaultdict(set)
        self._config_maps: dict[tuple[str, str], str] = {}
        self._rolling: set[tuple[str, str, str]] = set()
        self._namespaces = Namespaces()

    # What is there

    def resource(self, key: ResourceKey) -> Resource | None:
        return self._resources.get(key)

    def keys(self) -> Iterator[ResourceKey]:
        return iter(tuple(self._resources))

    def look(self, ref: Ref) -> Referenced:
        """An object as those see it who refer to it: of one of our kinds, a ConfigMap or a namespace."""
        if ref.kind == CONFIG_MAP.name:
            version = self._config_maps.get((ref.namespace, ref.name), "")
            return Referenced(exists=bool(version), ready=bool(version), version=version)
        if ref.kind == NAMESPACE.name:
            return _namespace_referenced(self._namespaces.get(ref.name))
        return referenced(self._resources.get(ref))

    def referrers(self, ref: Ref) -> set[ResourceKey]:
        """Who refers to an object, of whatever kind. Of a namespace: everything in it."""
        return set(self._referrers.get(ref, ()))

    def children(self, key: ResourceKey) -> tuple[Child, ...]:
        return tuple(self._children[child] for child in sorted(self._by_owner.get(key, ())))

    def shared(self, kind: str, namespace: str) -> tuple[Child, ...]:
        """What all resources of a kind in a namespace have together."""
        return self.children(ResourceKey(kind, namespace, ""))

    def resources(self, kind: str, namespace: str) -> list[Resource]:
        """All resources of a kind in a namespace, by name."""
        return [self._resources[key] for key in sorted(self._of_kind(kind, namespace)) if key in self._resources]

    def child(self, kind: str, namespace: str, name: str) -> Child | None:
        return self._children.get((kind, namespace, name))

    def namespace(self, name: str) -> Namespace | None:
        return self._namespaces.get(name)

    def children_in(self, namespace: str) -> list[Child]:
        """Everything of ours in a namespace."""
        return [child for child in self._children.values() if child.namespace == namespace]

    def store_config_maps(self) -> list[Child]:
        """The owners of all store Secrets."""
        return [
            child
            for child in self._children.values()
            if child.kind == CONFIG_MAP.name and not child.owner[1] and child.name.startswith(STORE_SECRET_PREFIX)
        ]

    def rolling(self) -> int:
        """Deployments whose pods are being replaced while older ones serve."""
        return len(self._rolling)

    def rolls(self, key: tuple[str, str, str]) -> bool:
        """Whether a Deployment, by its kind, namespace and name, is one of them."""
        return key in self._rolling

    def count(self) -> Mapping[str, int]:
        """Resources and children, for the metrics."""
        return {"resources": len(self._resources), "children": len(self._children)}

    # What happens to it

    def put_resource(self, new: Resource) -> set[ResourceKey]:
        old = self._resources.get(new.key)
        if old is not None and old.uid == new.uid and old.version >= new.version:
            return set()
        self._resources[new.key] = new
        self._refer(new.key, old, new)
        changed = referenced(old).decisive != referenced(new).decisive
        return {new.key} | (self.referrers(new.key) if changed else set())

    def drop_resource(self, key: ResourceKey, uid: str) -> set[ResourceKey]:
        old = self._resources.get(key)
        if old is None or old.uid != uid:
            return set()
        del self._resources[key]
        self._refer(key, old, None)
        return {key} | self.referrers(key)

    def _refer(self, key: ResourceKey, old: Resource | None, new: Resource | None) -> None:
        before = old.references if old is not None else frozenset()
        after = new.references if new is not None else frozenset()
        for ref in before - after:
            self._referrers[ref].discard(key)
            if not self._referrers[ref]:
                del self._referrers[ref]
        for ref in after - before:
            self._referrers[ref].add(key)

    def put_child(self, new: Child) -> set[ResourceKey]:
        old = self._children.get(new.key)
        if old is not None and old.uid == new.uid and old.version >= new.version:
            return set()
        affected = self._forget(old) if old is not None else set()
        owner = ResourceKey(new.owner[0], new.namespace, new.owner[1])
        self._children[new.key] = new
        self._by_owner[owner].add(new.key)
        if new.kind == DEPLOYMENT.name and isinstance(new.detail, DeploymentState) and _serves_and_rolls(new.detail):
            self._rolling.add(new.key)
        return affected | ({owner} if owner.name else self._of_kind(owner.kind, owner.namespace))

    def put_namespace(self, new: Namespace) -> set[ResourceKey]:
        before = _namespace_referenced(self._namespaces.get(new.name))
        changed = self._namespaces.put(new) and before.decisive != _namespace_referenced(new).decisive
        return self._all_in(new.name) if changed else set()

    def drop_namespace(self, name: str, uid: str) -> set[ResourceKey]:
        return self._all_in(name) if self._namespaces.drop(name, uid) else set()

    def drop_child(self, key: tuple[str, str, str], uid: str) -> set[ResourceKey]:
        old = self._children.get(key)
        if old is None or old.uid != uid:
            return set()
        return self._forget(old)

    def put_config_map(self, namespace: str, name: str, version: str | None) -> set[ResourceKey]:
        """Any ConfigMap's identity and version, or None when it is gone."""
        if self._config_maps.get((namespace, name)) == version:
            return set()
        if version is None:
            del self._config_maps[(namespace, name)]
        else:
            self._config_maps[(namespace, name)] = version
        return self.referrers(Ref(CONFIG_MAP.name, namespace, name))

    def known(self, kind: str) -> Mapping[tuple[str, str], str]:
        """Namespace and name to uid of everything cached of a kind."""
        if kind in OWNER_KINDS:
            return {(key.namespace, key.name): each.uid for key, each in self._resources.items() if key.kind == kind}
        if kind == NAMESPACE.name:
            return {("", each.name): each.uid for each in self._namespaces}
        return {(key[1], key[2]): child.uid for key, child in self._children.items() if key[0] == kind}

    def known_config_maps(self) -> Iterable[tuple[str, str]]:
        return tuple(self._config_maps)

    def drop(self, kind: str, namespace: str, name: str, uid: str) -> set[ResourceKey]:
        """An object of any kind is gone."""
        if kind in OWNER_KINDS:
            return self.drop_resource(ResourceKey(kind, namespace, name), uid)
        if kind == NAMESPACE.name:
            return self.drop_namespace(name, uid)
        return self.drop_child((kind, namespace, name), uid)

    def _forget(self, child: Child) -> set[ResourceKey]:
        owner = ResourceKey(child.owner[0], child.namespace, child.owner[1])
        del self._children[child.key]
        self._rolling.discard(child.key)
        self._by_owner[owner].discard(child.key)
        if not self._by_owner[owner]:
            del self._by_owner[owner]
        if owner.name:
            return {owner}
        return self._of_kind(owner.kind, owner.namespace) if owner.kind else self._all_in(child.namespace)

    def _of_kind(self, kind: str, namespace: str) -> set[ResourceKey]:
        """Every resource of a kind there."""
        return {key for key in self._all_in(namespace) if key.kind == kind}

    def _all_in(self, namespace: str) -> set[ResourceKey]:
        """Every resource there."""
        return self.referrers(Ref(NAMESPACE.name, "", namespace))


def _serves_and_rolls(state: DeploymentState) -> bool:
    return state.rolling and state.available > 0
