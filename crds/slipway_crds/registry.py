"""The kinds that users write: one row each. Operator, local driver, validation, CRDs and the chart read them here."""

from collections.abc import Iterator, Mapping

from slipway_crds.agents.kind import AGENT
from slipway_crds.indexes.kind import VECTOR_INDEX
from slipway_crds.meta import CustomObject
from slipway_crds.owners import OwnerKind
from slipway_crds.plugins.kind import PLUGIN
from slipway_crds.workflows.kind import WORKFLOW

OWNER_KINDS: dict[str, OwnerKind] = {kind.name: kind for kind in (AGENT, VECTOR_INDEX, PLUGIN, WORKFLOW)}
"""By name. A test may add one."""


class _Models(Mapping[str, type[CustomObject]]):
    """The models of the kinds that are there now."""

    def __getitem__(self, name: str) -> type[CustomObject]:
        return OWNER_KINDS[name].model

    def __iter__(self) -> Iterator[str]:
        return iter(OWNER_KINDS)

    def __len__(self) -> int:
        return len(OWNER_KINDS)


KINDS: Mapping[str, type[CustomObject]] = _Models()
