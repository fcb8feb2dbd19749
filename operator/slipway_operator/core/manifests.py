"""Typed dicts for what the builders return: Kubernetes objects as the API server takes them."""

from typing import NotRequired, TypedDict

JsonObject = dict[str, object]


class OwnerReference(TypedDict):
    """Who an object belongs to; the garbage collector deletes it with its owner."""

    apiVersion: str
    kind: str
    name: str
    uid: str
    controller: bool
    blockOwnerDeletion: bool


class ObjectMeta(TypedDict):
    """The metadata that the operator sets."""

    name: str
    namespace: str
    labels: NotRequired[dict[str, str]]
    annotations: NotRequired[dict[str, str]]
    ownerReferences: NotRequired[list[OwnerReference]]


class Manifest(TypedDict):
    """A whole object: what one server-side apply sends."""

    apiVersion: str
    kind: str
    metadata: ObjectMeta
    spec: NotRequired[JsonObject]
    data: NotRequired[dict[str, str]]
    stringData: NotRequired[dict[str, str]]
    type: NotRequired[str]
    immutable: NotRequired[bool]
    automountServiceAccountToken: NotRequired[bool]
