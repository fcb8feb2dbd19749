"""Documents that people uploaded, as a source: they are in the store, so every build can be made of them."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import orjson

from slipway_crds.contract import UPLOADS
from slipway_crds.runtimeconfig import IngestConfig
from slipway_runtime.knowledge.ingestion.sources import DocumentRef, DocumentSource, Gone, LoadedDocument
from slipway_runtime.knowledge.ingestion.sources.contract import NOTHING
from slipway_runtime.store.database import Database
from slipway_runtime.store.uploads import PAGE, Upload, list_uploads, upload_content


def upload_version(content: bytes, content_type: str, metadata: str) -> str:
    """The version of an upload: a digest of all that is known of it."""
    about = orjson.dumps([content_type, metadata])
    return hashlib.sha256(hashlib.sha256(content).digest() + about).hexdigest()


async def all_uploads(database: Database, index: str) -> AsyncIterator[Upload]:
    """The documents of an index by name."""
    after = ""
    while page := await list_uploads(database, index, after=after):
        for upload in page:
            yield upload
        if len(page) < PAGE:
            return
        after = page[-1].name


@dataclass(frozen=True)
class UploadSource:
    """The documents that were uploaded to an index.

    Args:
        again: whether those that could not be read are tried again.
    """

    database: Database
    index: str
    """`namespace/name`."""
    again: bool = True
    name: str = UPLOADS

    async def list(self, known: Mapping[str, str] = NOTHING) -> AsyncIterator[DocumentRef]:
        """See `DocumentSource`."""
        async for each in all_uploads(self.database, self.index):
            if self.again or each.reason is None:
                yield DocumentRef(
                    self.name,
                    each.name,
                    each.version,
                    content_type=each.content_type,
                    metadata=orjson.loads(each.metadata),
                )

    async def load(self, ref: DocumentRef) -> LoadedDocument:
        """See `DocumentSource`."""
        content = await upload_content(self.database, self.index, ref.name, ref.version)
        if content is None:
            raise Gone("it was replaced or removed meanwhile")
        return LoadedDocument(ref, content)


def uploads_of(config: IngestConfig, database: Database) -> list[DocumentSource]:
    """The source of what was uploaded, for an index that takes uploads."""
    return [UploadSource(database, f"{config.namespace}/{config.index}")] if config.uploads is not None else []
