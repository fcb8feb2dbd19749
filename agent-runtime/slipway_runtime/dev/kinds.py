"""The row by which a kind joins the local driver. A kind of which nothing is made here needs none."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from slipway_crds.owners import OwnerKind
from slipway_runtime.dev.manifests import Manifests, NamespacedName
from slipway_runtime.dev.parts import Parts
from slipway_runtime.knowledge.ingestion.ingestion import IngestionProgress

Report = Callable[[NamespacedName, IngestionProgress], None]
"""Gets an index, and how far its ingestion is."""


@dataclass(frozen=True)
class Outcome:
    """What became of an object that takes a while.

    Args:
        subject: the kind in a word, and the object.
        made: what there is now; empty where nothing was made.
        failures: of what there is not, one line each.
        failed: how many of them there are; not all need a line.
        error: why nothing was made; empty where something was.
    """

    subject: str
    made: str = ""
    failures: Sequence[str] = ()
    failed: int = 0
    error: str = ""


class LocalPart(Protocol):
    """A kind's part of the driver. For each set of manifests it is called once in this order, after the other kinds."""

    def announce(self, manifests: Manifests) -> None:
        """Serve what is new as far as it goes; what was there stays as it is."""
        ...

    async def make(self, manifests: Manifests, report: Report) -> list[Outcome]:
        """Make what takes a while, next to what is served. Returns what became of each object that was looked at."""
        ...

    def exchange(self, manifests: Manifests) -> None:
        """Serve what is in the manifests and nothing else."""
        ...


@dataclass(frozen=True)
class LocalKind:
    """A kind of the registry, and what makes its objects real in this process.

    `start` gets the parts of the process, and where its host listens.
    """

    kind: OwnerKind
    start: Callable[[Parts, str], LocalPart]
