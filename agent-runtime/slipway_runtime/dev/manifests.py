"""The manifests that `slipway dev` is given: objects of our kinds, and documents. Only `load` does I/O."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from slipway_crds.configmaps import decoded, is_config_map
from slipway_crds.fields import Local
from slipway_crds.manifests import Document, load_paths
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


def assemble(documents: Sequence[Document]) -> Manifests:
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
    )


def key_of(each: CustomObject) -> NamespacedName:
    """Where an object is."""
    return NamespacedName(each.metadata.namespace, each.metadata.name)


def _ignored(value: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for every field that is set and has no effect here, in the words of the reference."""
    key = _key(value)
    for field in fields_treated(value, Local.IGNORED):
        yield f"{value['kind']} {key}: {field.path} has no effect here. {field.message}"


def read_items(config_map: Mapping[str, Any]) -> dict[str, bytes]:
    """The documents of a valid ConfigMap as a pod would find them in files: `data`, and `binaryData` decoded."""
    items = {name: (text or "").encode() for name, text in (config_map.get("data") or {}).items()}
    return items | {name: decoded(text or "") for name, text in (config_map.get("binaryData") or {}).items()}


def _key(value: Mapping[str, Any]) -> NamespacedName:
    metadata = value.get("metadata") or {}
    return NamespacedName(metadata.get("namespace") or DEFAULT_NAMESPACE, metadata["name"])
