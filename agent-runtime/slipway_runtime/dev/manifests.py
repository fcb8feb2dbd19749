"""The manifests that `slipway dev` is given, as the kinds and the documents in them. Pure but for reading files."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from slipway_crds.configmaps import decoded, is_config_map
from slipway_crds.fields import Local
from slipway_crds.indexes.model import VectorIndex
from slipway_crds.manifests import Document, load_paths
from slipway_crds.meta import CustomObject
from slipway_crds.registry import KINDS
from slipway_crds.resolve import ingest_config, resolve
from slipway_crds.runtimeconfig import IngestConfig, RuntimeConfig
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
class Index:
    """One index with what its sources hold. A source whose ConfigMap is not among the manifests is left out."""

    key: NamespacedName
    config: IngestConfig
    sources: Mapping[str, Items]


@dataclass(frozen=True)
class Manifests:
    """What is to be served. `warnings` are for a person: what has no effect here, and what is missing."""

    config: RuntimeConfig
    indexes: tuple[Index, ...]
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
    kinds = [parse(value) for value in ours]
    config_maps = {_key(value): read_items(value) for value in values if is_config_map(value)}
    indexes = [kind for kind in kinds if isinstance(kind, VectorIndex)]
    config, _ = resolve(kinds)  # what it complains about is among the findings
    ignored = (warning for value, kind in zip(ours, kinds, strict=True) for warning in _ignored(value, kind))
    return Manifests(
        config=config,
        indexes=tuple(_index(index, config_maps) for index in indexes),
        warnings=(*map(str, findings), *ignored),
    )


def _ignored(value: Mapping[str, Any], kind: CustomObject) -> Iterator[str]:
    """A sentence for every field that is set and has no effect here, in the words of the reference."""
    key = NamespacedName(kind.metadata.namespace, kind.metadata.name)
    for field in fields_treated(value, Local.IGNORED):
        yield f"{value['kind']} {key}: {field.path} has no effect here. {field.message}"


def _index(index: VectorIndex, config_maps: Mapping[NamespacedName, Items]) -> Index:
    namespace = index.metadata.namespace
    found = {
        source: config_maps.get(NamespacedName(namespace, name)) for source, name in index.spec.config_maps.items()
    }
    return Index(
        key=NamespacedName(namespace, index.metadata.name),
        config=ingest_config(index),
        sources={source: items for source, items in found.items() if items is not None},
    )


def read_items(config_map: Mapping[str, Any]) -> dict[str, bytes]:
    """The documents of a valid ConfigMap as a pod would find them in files: `data`, and `binaryData` decoded."""
    items = {name: (text or "").encode() for name, text in (config_map.get("data") or {}).items()}
    return items | {name: decoded(text or "") for name, text in (config_map.get("binaryData") or {}).items()}


def _key(value: Mapping[str, Any]) -> NamespacedName:
    metadata = value.get("metadata") or {}
    return NamespacedName(metadata.get("namespace") or DEFAULT_NAMESPACE, metadata["name"])
