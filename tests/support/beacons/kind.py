"""The row of the kind `Beacon`."""

from collections.abc import Iterator

from slipway_crds.meta import GROUP
from slipway_crds.owners import Known, OwnerKind
from slipway_crds.references import Ref, ref_to
from slipway_crds.resolve import ResolveProblem, Severity
from tests.support.beacons.model import Beacon


def index_of(beacon: Beacon) -> Ref:
    """The index that a Beacon shows."""
    return Ref("VectorIndex", beacon.metadata.namespace, beacon.spec.index)


def _missing(beacon: Beacon, known: Known) -> Iterator[ResolveProblem]:
    if index_of(beacon) not in known.objects:
        said = f"there is no {index_of(beacon)}: apply it"
        yield ResolveProblem(Severity.WAITING, str(ref_to(beacon)), "spec.index", "WaitingForIndex", said)


BEACON = OwnerKind(
    model=Beacon, label=f"{GROUP}/beacon", references=lambda beacon: [index_of(beacon)], missing=_missing
)
