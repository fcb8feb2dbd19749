"""What external back ends do besides: whose a collection is, and when what was written is found.

The name of a collection follows from an index's. So two clusters with an index of the same name that are given the same
connection would write one collection, and each would remove what the other wrote. The first one that writes leaves a
mark with its name; the other is refused by name.
"""

from typing import Protocol, runtime_checkable

from slipway_runtime.knowledge.vectors.contract import VectorsRefused


class CollectionTaken(VectorsRefused):
    """Another index, or that of another installation, owns a collection. Trying again is of no use."""

    def __init__(self, collection: str, *, owner: str, asker: str) -> None:
        super().__init__(
            f"the collection {collection} belongs to {owner}, and {asker} may not write it: give one of them a"
            " connection of its own (another database, schema, project or prefix), or remove the collection if what"
            " owned it is gone"
        )


@runtime_checkable
class Ownable(Protocol):
    """A `VectorStore` whose collections others may reach. Ingestions and purges claim before they write
    or drop."""

    async def claim(self, collection: str, owner: str) -> None:
        """Mark the collection as the owner's, at the latest when it is made; nothing changes if it is already.

        Args:
            owner: `NAMESPACE/INDEX of installation ID`.

        Raises:
            CollectionTaken: if it is another's.
            VectorsUnavailable: if the back end cannot be asked.
        """
        ...


@runtime_checkable
class Settling(Protocol):
    """A `VectorStore` whose searches find what was written some time later (`Capabilities.read_after_write`)."""

    async def settled(self, collection: str, count: int) -> bool:
        """Whether searches find what was written, so that a build of so many vectors may be published.

        Raises:
            VectorsUnavailable: if the back end cannot be asked.
        """
        ...
