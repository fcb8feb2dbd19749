"""Credentials and certificates of sources in the local driver: from manifests or the environment, as keys of models."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from slipway_crds import contract
from slipway_crds.indexes.model import VectorIndex
from slipway_runtime.dev.manifests import Manifests, NamespacedName, key_of
from slipway_runtime.dev.model_files import Missing, bundle_value, replace_file, secret_value


def source_values(manifests: Manifests, environment: Mapping[str, str]) -> dict[str, bytes | Missing]:
    """What the files of sources hold, by path (`namespace/index/source/file`)."""
    indexes = (each for each in manifests.objects if isinstance(each, VectorIndex))
    return {path: value for index in indexes for path, value in _values(index, manifests, environment)}


def _values(
    index: VectorIndex, manifests: Manifests, environment: Mapping[str, str]
) -> Iterator[tuple[str, bytes | Missing]]:
    namespace = index.metadata.namespace
    for source in index.spec.sources:
        where = f"VectorIndex {key_of(index)}: source {source.name}"
        for file, ref in source.secrets.items():
            lacks = f"{where} has no {file}"
            yield (
                f"{key_of(index)}/{source.name}/{file}",
                secret_value(ref, namespace, manifests, environment, lacks=lacks),
            )
        if source.tls is not None:
            yield (
                f"{key_of(index)}/{source.name}/{contract.SOURCE_CA_FILE}",
                bundle_value(source.tls, namespace, manifests, where),
            )


class LocalSourceFiles:
    """The files of all indexes' sources, in a folder of this process alone."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment

    def of(self, index: NamespacedName) -> Path:
        """The folder of an index, with a folder for each source."""
        return self._folder / str(index)

    def missing(self, manifests: Manifests) -> list[str]:
        """What sources need and nobody gave."""
        values = source_values(manifests, self._environment).values()
        return [value.sentence for value in values if isinstance(value, Missing)]

    def apply(self, manifests: Manifests) -> None:
        """Make the files those of these manifests."""
        shutil.rmtree(self._folder, ignore_errors=True)
        for path, value in source_values(manifests, self._environment).items():
            if not isinstance(value, Missing):
                replace_file(self._folder / path, value)
