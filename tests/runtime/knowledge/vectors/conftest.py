"""Fixtures for tests that run on every back end."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from slipway_crds.contract import collection_name
from slipway_runtime.knowledge.vectors.contract import VectorStore
from tests.runtime.knowledge.vectors.back_ends import BACK_ENDS


@pytest.fixture(params=BACK_ENDS)
async def vectors(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[VectorStore]:
    """Each back end in turn."""
    async with BACK_ENDS[request.param](request, tmp_path) as store:
        yield store


@pytest.fixture
def collection() -> str:
    """A collection of the test's own."""
    return collection_name(f"demo/index-{secrets.token_hex(4)}", "r1")
