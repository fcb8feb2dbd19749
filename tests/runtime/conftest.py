"""What every test of the runtime may use: SQLite and a real Postgres (each test with both), and an API server."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from slipway_runtime.store.database import Database
from slipway_runtime.store.opening import open_database
from tests.support.fake_kubernetes import FakeKubernetes
from tests.support.servers import free_port


@pytest.fixture(params=["sqlite", "postgres"])
def dsn(request: pytest.FixtureRequest) -> str:
    """DSN of a store with all tables and no rows."""
    return str(request.getfixturevalue("sqlite_dsn" if request.param == "sqlite" else "store_dsn"))


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    """An open store with all tables and no rows."""
    opened = await open_database(dsn)
    yield opened
    await opened.close()


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """What is entered is left at the end of the test."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def cluster() -> AsyncIterator[FakeKubernetes]:
    """A stand-in for the API server, listening."""
    fake = FakeKubernetes(free_port())
    await fake.start()
    yield fake
    await fake.stop()
