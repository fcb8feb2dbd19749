"""The hosted services themselves, where the environment has a connection document for one."""

import asyncio
import os
import secrets
from typing import cast

import pytest

from slipway_crds.runtimeconfig import BackendKind
from slipway_runtime import retrying
from slipway_runtime.knowledge.vectors.contract import VectorsUnavailable
from slipway_runtime.knowledge.vectors.filters import Compare
from slipway_runtime.knowledge.vectors.passages import claim, search_chunks, wait_until_searchable, write_chunks
from slipway_runtime.knowledge.vectors.servers import connected
from tests.runtime.knowledge.vectors.back_ends import names, unit_vectors

VARIABLES = {"mongodb": "LIVE_MONGODB", "vertex": "LIVE_VERTEX", "snowflake": "LIVE_SNOWFLAKE"}
PATIENCE = 600.0


@pytest.mark.parametrize("kind", VARIABLES)
async def test_chunks_are_written_found_narrowed_and_removed(kind: str) -> None:
    text = os.environ.get(VARIABLES[kind])
    if text is None:
        pytest.skip(f"{VARIABLES[kind]} holds no connection document, so {kind} is not verified live")
    store = connected(cast(BackendKind, kind), text)
    collection = f"live.{secrets.token_hex(4)}.r-1"
    vectors, texts = unit_vectors(3), ["cats sleep", "ships sail", "birds fly"]
    where = Compare("kind", "eq", "ship")
    try:
        await claim(store, collection, "live/test", "test")
        kinds = [{"kind": "cat"}, {"kind": "ship"}, {"kind": "bird"}]
        await write_chunks(store, collection, names(3), texts, vectors, kinds)
        assert await store.count(collection) == 3
        await wait_until_searchable(store, collection, 3, seconds=PATIENCE)

        async def found() -> None:
            nearest = await search_chunks(store, collection, texts[0], vectors[0], 3)
            narrowed = await search_chunks(store, collection, texts[0], vectors[0], 3, where)
            if ([one.id for one in nearest[:1]], [one.id for one in narrowed]) != (["id-0"], ["id-1"]):
                raise VectorsUnavailable(f"{nearest}, {narrowed}")

        await retrying.retry(
            found, policy=retrying.INGESTION, on=lambda e: isinstance(e, VectorsUnavailable), seconds=60
        )
        await store.delete(collection, ["id-1"])
        assert await store.present(collection, names(3)) == {"id-0", "id-2"}
    finally:
        await asyncio.shield(store.drop(collection))
        await store.close()
