"""Whether an object on the API server is still what we applied, without keeping the object itself.

Two questions answer that. Has what we want changed since we last applied it? Every applied object carries a hash of
its own manifest. Has somebody else changed what we applied? The API server's `managedFields` tell: whoever changes a
field takes it over, and a field that is removed leaves every owner's entry, so our entry no longer covers a path that
we want. Values that the server normalises (`1000m` to `1`) make no difference to either.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson

from slipway_crds.meta import GROUP
from slipway_operator.manifests import Manifest

FIELD_MANAGER = "slipway-operator"
APPLIED_ANNOTATION = f"{GROUP}/applied"
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
    """Our apply entry of an object's `metadata.managedFields`, as JSON; empty if there is none."""
    for entry in managed_fields:
        if entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply" and not entry.get("subresource"):
            return orjson.dumps(entry.get("fieldsV1", {}), option=orjson.OPT_SORT_KEYS)
    return b""


def drifted(stamped: Manifest, owned: bytes) -> tuple[str, ...]:
    """The paths of the manifest that our entry does not cover (any more); empty when all is as we applied it."""
    return _drifted(orjson.dumps(stamped), owned)


@lru_cache(maxsize=4096)
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
            if below is None:
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
