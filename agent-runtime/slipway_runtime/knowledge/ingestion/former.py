"""What becomes of the builds that agents do not read any more.

The one that was read last is kept for a while, so that it can be served again without embedding anything.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass

from slipway_crds.contract import collection_name
from slipway_crds.runtimeconfig import DocumentsConfig, KeptReport, VectorsConfig
from slipway_runtime.knowledge.documents.document_store import DocumentStore
from slipway_runtime.knowledge.vectors.contract import OpenVectors, VectorsUnavailable
from slipway_runtime.store.documents import Build, revisions
from slipway_runtime.store.former_builds import FormerBuild, forget_former, former_builds

log = logging.getLogger(__name__)


def on_own_server(place: VectorsConfig) -> bool:
    """Whether vectors are on the Chroma that Slipway runs for the index."""
    return place.kind == "chroma" and place.connection is None


@dataclass(frozen=True)
class FormerBuilds:
    """The builds of an index besides the one that agents read.

    Args:
        index: `namespace/name`.
        keep_seconds: for which the one that was read before is kept.
    """

    documents: DocumentStore
    open_vectors: OpenVectors
    index: str
    keep_seconds: float

    async def previous(self) -> FormerBuild | None:
        """The build that agents read before, while it is kept."""
        found = await former_builds(self.documents.database, self.index)
        return next((each for each in found[:1] if each.age < self.keep_seconds), None)

    async def forget(self, *, kept: Collection[str], place: VectorsConfig, texts: DocumentsConfig) -> KeptReport | None:
        """Remove all builds but these and the previous one. What is still kept is reported.

        Args:
            place: of the vectors of builds that agents have never read.
            texts: where the texts of such builds are.

        Raises:
            StoreUnavailable, VectorsUnavailable: if one of them is; doing it again goes on where it ended.
        """
        previous = await self.previous()
        stays = {*kept, *([previous.pointer.revision] if previous is not None else [])}
        places = {
            each.pointer.revision: each.pointer.vectors
            for each in await former_builds(self.documents.database, self.index)
        }
        for revision in sorted((await revisions(self.documents.database, self.index) | set(places)) - stays):
            await self._drop(revision, places.get(revision, place), place)
            await self.documents.drop_build(Build(self.index, revision), texts)
            await forget_former(self.documents.database, self.index, revision)
        if previous is None:
            return None
        return KeptReport(
            revision=previous.pointer.revision,
            until=previous.left + self.keep_seconds,
            own_server=on_own_server(previous.pointer.vectors),
        )

    async def _drop(self, revision: str, at: VectorsConfig, place: VectorsConfig) -> None:
        """Remove the vectors of a build. A place that the index has left may be gone with them."""
        collection = collection_name(self.index, revision)
        try:
            await self.open_vectors(self.index, at).drop(collection)
        except VectorsUnavailable as error:
            if at == place:
                raise
            log.warning("vectors stay", extra={"collection": collection, "place": at.kind, "detail": str(error)})
