"""Makes Beacons real in the local driver."""

from slipway_runtime.dev.kinds import LocalKind, Outcome, Report
from slipway_runtime.dev.manifests import Manifests, NamespacedName, key_of
from slipway_runtime.dev.parts import Parts
from tests.support.beacons.kind import BEACON
from tests.support.beacons.model import Beacon

SHOWN: dict[NamespacedName, str] = {}
"""The colour of each beacon that is on."""


class LocalBeacons:
    """Lights the beacons of the manifests."""

    def __init__(self, _: Parts, __: str) -> None:
        SHOWN.clear()

    def announce(self, manifests: Manifests) -> None:
        SHOWN.update({key_of(each): "dark" for each in _beacons(manifests) if key_of(each) not in SHOWN})

    async def make(self, manifests: Manifests, report: Report) -> list[Outcome]:
        return [Outcome(f"beacon {key_of(each)}", made=each.spec.colour) for each in _beacons(manifests)]

    def exchange(self, manifests: Manifests) -> None:
        SHOWN.clear()
        SHOWN.update({key_of(each): each.spec.colour for each in _beacons(manifests)})


def _beacons(manifests: Manifests) -> list[Beacon]:
    return [each for each in manifests.objects if isinstance(each, Beacon)]


ROW = LocalKind(BEACON, LocalBeacons)
