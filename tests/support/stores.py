"""Stores with all tables and no rows.

Making the tables takes longer than most tests, so it happens once in a worker, and each test has a copy.
"""

import asyncio
import shutil
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from slipway_runtime.store.opening import open_database
from tests.support.servers import make_database

TEMPLATE = "store_template"


async def make_tables(dsn: str) -> None:
    """As the first host would."""
    await (await open_database(dsn)).close()


def in_a_thread(work: Coroutine[None, None, None]) -> None:
    """Fixtures of a session have no event loop, and the thread of the tests keeps its own."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed store's file. Do not open it: copy it."""
    path = tmp_path_factory.mktemp("store") / "store.db"
    in_a_thread(make_tables(f"sqlite:///{path}"))
    return path


@pytest.fixture
def sqlite_dsn(sqlite_template: Path, tmp_path: Path) -> str:
    """DSN of `store.db` in the test's folder."""
    shutil.copy(sqlite_template, tmp_path / "store.db")
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> str:
    """Name of a database that nobody is connected to, so that it can be copied."""

    async def make() -> None:
        await make_tables(await make_database(postgres_server, TEMPLATE))

    in_a_thread(make())
    return TEMPLATE


@pytest.fixture
async def store_dsn(postgres_server: str, postgres_template: str) -> str:
    """DSN of a database in Postgres that is the test's own."""
    return await make_database(postgres_server, template=postgres_template)
