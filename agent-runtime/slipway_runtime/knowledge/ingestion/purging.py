"""Deleting what an index has outside the store, of all its builds: what is left to do before an index goes.

Its rows stay where they are: whoever keeps the store deletes them afterwards, since they name the builds.
"""

from slipway_crds.contract import collection_name
from slipway_crds.runtimeconfig import DocumentsConfig
from slipway_runtime.knowledge.documents.document_store import DocumentStore
from slipway_runtime.knowledge.vectors.contract import VectorStore
from slipway_runtime.store.database import Database
from slipway_runtime.store.documents import revisions
from slipway_runtime.store.pointers import read_pointer
from slipway_runtime.store.texts import OpenTexts


async def purge_index(
    index: str, *, database: Database, vectors: VectorStore, texts: OpenTexts, documents: DocumentsConfig
) -> int:
    """Drop the collection of each build, and the texts that are kept elsewhere. Returns how many builds there were.

    Args:
        index: `namespace/name`.
        documents: where its texts are.

    Raises:
        StoreUnavailable, VectorsUnavailable: if one of them is; doing it again goes on where it ended.
    """
    builds = await revisions(database, index)
    pointer = await read_pointer(database, index)
    if pointer is not None:
        builds.add(pointer.revision)
    for revision in sorted(builds):
        await vectors.drop(collection_name(index, revision))
    await DocumentStore(database, texts).purge_texts(index, documents)
    return len(builds)
