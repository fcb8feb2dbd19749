"""What the ingestion of a restricted index does: each document gets the groups that may read it.

The document says itself which (`access` in its metadata), else its source does. Documents that may say so in a way that
cannot be read are for nobody.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace

from slipway_crds.runtimeconfig import IngestConfig
from slipway_runtime.knowledge.access import ACCESS, groups_in, is_access
from slipway_runtime.knowledge.ingestion.documents import Document
from slipway_runtime.knowledge.ingestion.formats.parsed import Media
from slipway_runtime.knowledge.ingestion.front_matter import may_be_front_matter
from slipway_runtime.knowledge.ingestion.sources import DocumentRef, DocumentSource, LoadedDocument
from slipway_runtime.knowledge.ingestion.sources.contract import NOTHING
from slipway_runtime.knowledge.vectors.contract import VectorsRefused, VectorStore

FROM_SOURCE = f" {ACCESS}"
"""The entry of metadata with the source's groups. It comes first, so that those of the document count before it."""


def with_access(config: IngestConfig, document: Document) -> Document:
    """A document as the index has it: in a restricted one, its metadata says which groups may read it."""
    if not config.search.restricted:
        return document
    groups = () if _unclear(document) else groups_in(document.metadata)
    rest = {name: value for name, value in document.metadata.items() if not is_access(name)}
    rows = tuple({name: value for name, value in row.items() if not is_access(name)} for row in document.rows)
    return replace(document, metadata={ACCESS: list(groups), **rest}, rows=rows)


def _unclear(document: Document) -> bool:
    """Whether lines of a table say `access`, which is of documents, or front matter that cannot be read may say it."""
    if any(is_access(name) for row in document.rows for name in row):
        return True
    if document.media is not Media.MARKDOWN or document.begins:
        return False
    return ACCESS in may_be_front_matter(document.text).casefold()


@dataclass(frozen=True)
class RestrictedSource:
    """A source whose documents are for groups, if they do not say themselves for which."""

    source: DocumentSource
    groups: tuple[str, ...]

    @property
    def name(self) -> str:
        """See `DocumentSource`."""
        return self.source.name

    async def list(self, known: Mapping[str, str] = NOTHING) -> AsyncIterator[DocumentRef]:
        """See `DocumentSource`. With other groups a document has another version, so that it is looked at again."""
        async for ref in self.source.list(known):
            yield self._with_groups(ref)

    async def load(self, ref: DocumentRef) -> LoadedDocument:
        """See `DocumentSource`."""
        loaded = await self.source.load(ref)
        return replace(loaded, ref=self._with_groups(loaded.ref))

    def _with_groups(self, ref: DocumentRef) -> DocumentRef:
        own = {name: value for name, value in ref.metadata.items() if name != FROM_SOURCE}
        return replace(ref, metadata={FROM_SOURCE: self.groups, **own})


def as_restricted(
    config: IngestConfig, store: VectorStore, sources: Sequence[DocumentSource]
) -> Sequence[DocumentSource]:
    """The sources of an index, as it reads them.

    Raises:
        VectorsRefused: if the index is restricted to groups, and its back end cannot filter by them.
    """
    if not config.search.restricted:
        return sources
    if "contains_any" not in store.capabilities.filters:
        raise VectorsRefused("access needs a back end whose searches filter by lists of groups: choose another one")
    groups = {each.name: each.access or () for each in config.sources}
    return [RestrictedSource(source, groups.get(source.name, ())) for source in sources]
