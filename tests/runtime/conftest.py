"""Stores that every test of the runtime may use: SQLite and a real Postgres, each test with both."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from slipway_runtime.store.database import Database, open_database


@pytest.fixture(params=["sqlite", "postgres"])
def dsn(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """DSN of an empty store."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    return str(request.getfixturevalue("postgres_dsn"))


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    """An open store with all tables and no rows."""
    opened = await open_database(dsn)
    yield opened
    await opened.close()
