"""Deleting the vectors of an index, of all its builds: what is left to do before an index goes.

Its documents stay where they are: whoever keeps the store deletes them afterwards, since they name the builds.
"""

from slipway_crds.contract import collection_name
from slipway_runtime.knowledge.vectors.contract import VectorStore
from slipway_runtime.store.database import Database
from slipway_runtime.store.documents import revisions
from slipway_runtime.store.pointers import read_pointer


async def purge_vectors(index: str, *, database: Database, vectors: VectorStore) -> int:
    """Drop the collection of each build. Returns how many builds there were.

    Args:
        index: `namespace/name`.

    Raises:
        StoreUnavailable, VectorsUnavailable: if one of them is; doing it again goes on where it ended.
    """
    builds = await revisions(database, index)
    pointer = await read_pointer(database, index)
    if pointer is not None:
        builds.add(pointer.revision)
    for revision in sorted(builds):
        await vectors.drop(collection_name(index, revision))
    return len(builds)
