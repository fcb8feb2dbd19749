"""A store that is reached by TLS, or not: by the authority that is trusted, and in words that say what to do."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from slipway_runtime.store.database import StoreUnavailable
from slipway_runtime.store.opening import open_database
from tests.support.postgres_tls import behind_tls, certificate


@pytest.fixture
def right(tmp_path: Path) -> Path:
    return certificate(tmp_path, "right")


@pytest.fixture
async def port(postgres_dsn: str, right: Path) -> AsyncIterator[int]:
    async with behind_tls(postgres_dsn, right) as port:
        yield port


@pytest.fixture
def database_name(postgres_dsn: str) -> str:
    return urlsplit(postgres_dsn).path


async def test_the_right_authority_lets_in(port: int, right: Path, database_name: str) -> None:
    dsn = f"postgresql://postgres@localhost:{port}{database_name}?sslmode=verify-full&sslrootcert={quote(str(right))}"
    database = await open_database(dsn)
    assert [dict(row) for row in await database.fetch("SELECT 1 AS one")] == [{"one": 1}]
    await database.close()


async def test_another_authority_is_told_with_what_to_do(port: int, tmp_path: Path, database_name: str) -> None:
    wrong = certificate(tmp_path, "wrong")
    dsn = f"postgresql://postgres@localhost:{port}{database_name}?sslmode=verify-full&sslrootcert={quote(str(wrong))}"
    with pytest.raises(StoreUnavailable, match=r"self-signed certificate.*caBundle\.configMap"):
        await open_database(dsn)


async def test_another_name_is_told_with_what_to_do(port: int, right: Path, database_name: str) -> None:
    dsn = f"postgresql://postgres@127.0.0.1:{port}{database_name}?sslmode=verify-full&sslrootcert={quote(str(right))}"
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1.*host as the certificate does"):
        await open_database(dsn)


async def test_no_authority_is_told_with_what_to_do(port: int, database_name: str) -> None:
    dsn = f"postgresql://postgres@localhost:{port}{database_name}?sslmode=verify-full&sslrootcert=/nowhere"
    with pytest.raises(StoreUnavailable, match="sslrootcert"):
        await open_database(dsn)
