"""Whether an object on the API server is still what we applied, without keeping the object itself.

Two questions answer that. Has what we want changed since we last applied it? Every applied object carries a hash of
its own manifest. Has somebody else changed what we applied? The API server's `managedFields` tell: whoever changes a
field takes it over, and a field that is removed leaves every owner's entry, so our entry no longer covers a path that
we want. Values that the server normalises (`1000m` to `1`) make no difference to either.
"""

import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from slipway_crds.meta import GROUP
from slipway_operator.manifests import Manifest

FIELD_MANAGER = "slipway-operator"
APPLIED_ANNOTATION = f"{GROUP}/applied"
MERGED_LISTS = frozenset(
    {"containers", "env", "imagePullSecrets", "ownerReferences", "ports", "volumeMounts", "volumes"}
)
"""The lists that the API server merges item by item, among those that we write. The others are owned as a whole."""
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

    Beside the entry of our applies there may be one of a repair, which replaces whole lists.
    """
    ours = [
        entry.get("fieldsV1", {})
        for entry in managed_fields
        if entry.get("manager") == FIELD_MANAGER and not entry.get("subresource")
    ]
    if not ours:
        return b""
    return orjson.dumps(functools.reduce(_union, ours), option=orjson.OPT_SORT_KEYS)


def _union(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Both of two field sets. A leaf and a node of the same name do not meet: a field's type decides which it is."""
    merged = dict(one)
    for key, below in other.items():
        merged[key] = _union(merged[key], below) if key in merged else below
    return merged


def lost_items(drift: Sequence[str]) -> bool:
    """Whether an item of a list is gone, rather than a field of one.

    The item may still be there under another key (a container renamed, a port renumbered). Applying would add ours
    beside it and leave the stranger: then the lists have to be replaced as a whole.
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
            elif below:
                # An empty node is a leaf: the field is owned as a whole (an atomic list, a scalar, an empty object).
                yield from _uncovered(value, below, f"{path}.{key}")
    elif isinstance(desired, Sequence) and not isinstance(desired, str):
        yield from _uncovered_items(desired, owned, path)


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
