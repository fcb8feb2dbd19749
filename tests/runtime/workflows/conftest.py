"""An engine with SQLite and with a real Postgres."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from slipway_runtime.store.database import Database
from tests.support.workflows import Engine, serving_engine


@pytest.fixture
async def engine(database: Database, dsn: str, tmp_path: Path) -> AsyncIterator[Engine]:
    """An engine that works on runs, with agents that a test scripts."""
    sqlite = dsn.startswith("sqlite")
    url = f"sqlite:///{tmp_path}/engine.db" if sqlite else dsn
    async with serving_engine(database, url, schema=None if sqlite else "engine") as engine:
        yield engine
