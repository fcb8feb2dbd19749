"""The manifests that `slipway dev` is given: objects of our kinds, and documents. Only `load` does I/O."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from slipway_crds.configmaps import decoded, is_config_map
from slipway_crds.fields import Local
from slipway_crds.manifests import ManifestDocument, load_paths
from slipway_crds.meta import CustomObject
from slipway_crds.references import ref_to
from slipway_crds.registry import KINDS
from slipway_crds.validate import Finding, parse, validate_set
from slipway_crds.without_cluster import fields_treated

DEFAULT_NAMESPACE = "default"


class NamespacedName(NamedTuple):
    """Namespace and name of an object."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


Items = Mapping[str, bytes]
"""The documents of a ConfigMap, by key."""


@dataclass(frozen=True)
class Manifests:
    """What is to be served. `warnings` are for a person: what has no effect here, and what is missing."""

    objects: tuple[CustomObject, ...]
    """Of the registry's kinds."""
    config_maps: Mapping[NamespacedName, Items]
    warnings: tuple[str, ...]
    secrets: Mapping[NamespacedName, Items] = field(default_factory=dict, repr=False)


class InvalidManifests(Exception):
    """The manifests cannot be served as they are; one line a finding."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("\n".join(map(str, findings)))


def load(paths: Iterable[Path]) -> Manifests:
    """Read and check manifests.

    Raises:
        ManifestError: if a file cannot be read as manifests.
        InvalidManifests: if an object in them is not valid.
    """
    return assemble(load_paths(paths))


def assemble(documents: Sequence[ManifestDocument]) -> Manifests:
    """What a set of objects amounts to.

    Raises:
        InvalidManifests: if one of them is not valid.
    """
    findings = validate_set(documents)
    errors = [finding for finding in findings if not finding.problem.waiting]
    if errors:
        raise InvalidManifests(errors)
    values: list[dict[str, Any]] = [document.value for document in documents if isinstance(document.value, dict)]
    ours = [value for value in values if value["kind"] in KINDS]
    objects = sorted(map(parse, ours), key=ref_to)
    ignored = (warning for value in ours for warning in _ignored(value))
    return Manifests(
        objects=tuple(objects),
        config_maps={_key(value): read_items(value) for value in values if is_config_map(value)},
        warnings=(*map(str, findings), *ignored),
        secrets={_key(value): read_secret(value) for value in values if _is_secret(value)},
    )


def key_of(each: CustomObject) -> NamespacedName:
    """Where an object is."""
    return NamespacedName(each.metadata.namespace, each.metadata.name)


def _ignored(value: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for every field that is set and has no effect here, in the words of the reference."""
    key = _key(value)
    for treated in fields_treated(value, Local.IGNORED):
        yield f"{value['kind']} {key}: {treated.path} has no effect here. {treated.message}"


def read_items(config_map: Mapping[str, Any]) -> dict[str, bytes]:
    """The documents of a valid ConfigMap as a pod would find them in files: `data`, and `binaryData` decoded."""
    items = {name: (text or "").encode() for name, text in (config_map.get("data") or {}).items()}
    return items | {name: decoded(text or "") for name, text in (config_map.get("binaryData") or {}).items()}


def read_secret(secret: Mapping[str, Any]) -> dict[str, bytes]:
    """The values of a Secret: `stringData` wins over `data`, as on a cluster. What is not base64 is left out."""
    values: dict[str, bytes] = {}
    for key, text in _texts(secret.get("data")):
        try:
            values[key] = decoded(text)
        except ValueError:
            continue
    return values | {key: text.encode() for key, text in _texts(secret.get("stringData"))}


def _texts(given: object) -> Iterator[tuple[str, str]]:
    if isinstance(given, Mapping):
        yield from ((str(key), text) for key, text in given.items() if isinstance(text, str))


def _is_secret(value: Mapping[str, Any]) -> bool:
    named = isinstance(value.get("metadata"), Mapping) and isinstance(value["metadata"].get("name"), str)
    return value.get("apiVersion") == "v1" and value.get("kind") == "Secret" and named


def _key(value: Mapping[str, Any]) -> NamespacedName:
    metadata = value.get("metadata") or {}
    return NamespacedName(metadata.get("namespace") or DEFAULT_NAMESPACE, metadata["name"])
