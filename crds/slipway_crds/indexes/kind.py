"""The row of the kind `VectorIndex`."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from slipway_crds.indexes.model import VectorIndex
from slipway_crds.indexes.problems import index_problems
from slipway_crds.meta import INDEX_LABEL
from slipway_crds.owners import Known, OwnerKind
from slipway_crds.references import Ref
from slipway_crds.resolve import ResolveProblem, missing_config_maps


def _references(index: VectorIndex) -> Iterator[Ref]:
    for name in index.spec.config_maps.values():
        yield Ref("ConfigMap", index.metadata.namespace, name)


def _missing(index: VectorIndex, known: Known) -> Iterable[ResolveProblem]:
    here = ("ConfigMap", index.metadata.namespace)
    yield from index_problems(index)
    yield from missing_config_maps(index, {ref.name for ref in known.others if (ref.kind, ref.namespace) == here})


def _facts(status: Mapping[str, Any]) -> Mapping[str, object]:
    return {"activeRevision": status.get("activeRevision")}


VECTOR_INDEX = OwnerKind(
    model=VectorIndex, label=INDEX_LABEL, references=_references, missing=_missing, facts=_facts, finalized=True
)
