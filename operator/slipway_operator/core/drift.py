"""Whether an object on the API server is still what we applied, without keeping the object itself.

Two questions answer that. Has what we want changed since we last applied it? Every applied object carries a hash of
its own manifest. Has somebody else changed what we applied? The API server's `managedFields` show it: whoever changes a
field takes it over, and a field that is removed leaves every owner's entry, so our entry no longer covers a path that
we want. Values that the server normalises (`1000m` to `1`) make no difference to either.
"""

import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from slipway_crds.meta import GROUP
from slipway_operator.core.manifests import Manifest

FIELD_MANAGER = "slipway-operator"
APPLIED_ANNOTATION = f"{GROUP}/applied"
MERGED_LISTS = frozenset(
    {
        "containers",
        "env",
        "imagePullSecrets",
        "ownerReferences",
        "ports",
        "topologySpreadConstraints",
        "volumeMounts",
        "volumes",
    }
)
"""The lists that the API server merges item by item, among those that we write. The others are owned as a whole."""
_ATOMIC_OBJECTS = ("f:fieldRef", "f:labelSelector")
_LISTS_OF_ATOMIC_OBJECTS = ("f:imagePullSecrets", "f:ownerReferences")
"""Objects in those lists that are owned as a whole."""
_MARK = "~"
_IDENTITY = ("apiVersion", "kind")
_METADATA_IDENTITY = ("name", "namespace")


def stamp(manifest: Manifest) -> Manifest:
    """The manifest with the hash of itself as an annotation: what is sent to the API server."""
    metadata = manifest["metadata"]
    annotations = {**metadata.get("annotations", {}), APPLIED_ANNOTATION: digest(manifest)}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def digest(manifest: Mapping[str, Any]) -> str:
    """Sixteen hexadecimal digits of the SHA-256 of the canonical JSON."""
    return hashlib.sha256(orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def owned_fields(managed_fields: Sequence[Mapping[str, Any]]) -> bytes:
    """What we own of an object by its `metadata.managedFields`, as JSON; empty if nothing.

    Next to the entry of our applies there may be one of a repair, which replaced whole lists. Its empty nodes are
    marked, since they may be either a field or what is left of a map or list when others took what was in it.
    """
    ours: dict[str, Any] = {}
    for entry in sorted(managed_fields, key=lambda each: str(each.get("operation"))):
        if entry.get("manager") == FIELD_MANAGER and not entry.get("subresource"):
            fields = entry.get("fieldsV1", {})
            ours = _union(ours, fields if entry.get("operation") == "Apply" else _marked("", fields))
    return orjson.dumps(ours, option=orjson.OPT_SORT_KEYS) if ours else b""


def _union(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Both of two field sets; a whole field stays whole."""
    merged = dict(one)
    for key, below in other.items():
        if key not in merged:
            merged[key] = below
        elif merged[key]:
            merged[key] = _union(merged[key], below)
    return merged


def _marked(key: str, node: Mapping[str, Any], *, within: str = "") -> dict[str, Any]:
    if not node:
        return {} if key in _ATOMIC_OBJECTS or within in _LISTS_OF_ATOMIC_OBJECTS else {_MARK: {}}
    return {inner: _marked(inner, below, within=key) for inner, below in node.items() if inner != "."}


def lost_items(drift: Sequence[str]) -> bool:
    """Whether an item of a list is gone, rather than a field of one.

    The item may still be there under another key (a container renamed, a port renumbered). Applying would add ours
    next to it and leave the stranger: then the lists have to be replaced as a whole.
    """
    return any(path.endswith("]") for path in drift)


def drifted(stamped: Manifest, owned: bytes) -> tuple[str, ...]:
    """The paths of the manifest that our entry does not cover (any more); empty when all is as we applied it."""
    return _drifted(orjson.dumps(stamped), owned)


@functools.lru_cache(maxsize=4096)
def _drifted(stamped: bytes, owned: bytes) -> tuple[str, ...]:
    if not owned:
        return ("",)
    return tuple(_uncovered(_without_identity(orjson.loads(stamped)), orjson.loads(owned), ""))


def _without_identity(manifest: dict[str, Any]) -> dict[str, Any]:
    """What the entry can cover: the API server records no owner of kind, name and namespace."""
    metadata = {key: value for key, value in manifest["metadata"].items() if key not in _METADATA_IDENTITY}
    return {key: value for key, value in manifest.items() if key not in _IDENTITY} | {"metadata": metadata}


def _uncovered(desired: Any, owned: Mapping[str, Any], path: str) -> Iterator[str]:
    if isinstance(desired, Mapping):
        for key, value in desired.items():
            below = owned.get(f"f:{key}")
            if key in MERGED_LISTS and isinstance(value, list) and not below:
                # The list without an item is owned by whoever once replaced it as a whole, and says nothing.
                yield f"{path}.{key}[]"
            elif below is None:
                yield f"{path}.{key}"
            elif not _whole(key, below, value):
                yield from _uncovered(value, below, f"{path}.{key}")
    elif isinstance(desired, Sequence) and not isinstance(desired, str):
        yield from _uncovered_items(desired, owned, path)


def _whole(key: str, node: Mapping[str, Any], value: Any) -> bool:
    """Whether the node is a leaf: a scalar, an empty object, or a list or object that is owned as a whole."""
    if _MARK not in node:
        return not node
    whole_list = isinstance(value, list) and key not in MERGED_LISTS
    return whole_list or not value or not isinstance(value, dict | list)


def _uncovered_items(items: Sequence[Any], owned: Mapping[str, Any], path: str) -> Iterator[str]:
    """Items of an associative list, which `managedFields` name by their keys (`k:{...}`) or values (`v:...`)."""
    keyed = [(orjson.loads(key[2:]), below) for key, below in owned.items() if key.startswith("k:")]
    values = [orjson.loads(key[2:]) for key in owned if key.startswith("v:")]
    for position, item in enumerate(items):
        if not isinstance(item, Mapping):
            if item not in values:
                yield f"{path}[{position}]"
            continue
        below = next((below for keys, below in keyed if _matches(item, keys)), None)
        if below is None:
            yield f"{path}[{position}]"
        elif below:
            yield from _uncovered(item, below, f"{path}[{position}]")


def _matches(item: Mapping[str, Any], keys: Mapping[str, Any]) -> bool:
    """Keys that the item leaves out were filled in by defaulting, such as a port's protocol."""
    return all(item.get(key, value) == value for key, value in keys.items())
