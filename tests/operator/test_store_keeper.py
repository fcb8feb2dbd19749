"""The role and the Secret of a namespace, in a real Postgres: made, and made anew for another root or address."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import replace
from urllib.parse import unquote, urlsplit

import asyncpg
import pytest

from slipway_operator.admin import Admin
from slipway_operator.builders.store import StoreAddress
from slipway_operator.kube import KubeClient
from slipway_operator.store import StoreError, StoreKeeper
from tests.support.operator_api import FakeApi, fake_api

ADDRESS = StoreAddress(host="db", port=5432, database="slipway")


ROOT = bytes(range(32))


@pytest.fixture
def namespace() -> str:
    """Roles are of the whole server, which tests share."""
    return f"team-{secrets.token_hex(4)}"


def keeper(kube: KubeClient, dsn: str, *, address: StoreAddress = ADDRESS, root: bytes = ROOT) -> StoreKeeper:
    return StoreKeeper(kube, admin=lambda: Admin(dsn=dsn, address=address), address=address, root=root)


async def test_another_root_is_another_password(postgres_dsn: str, namespace: str) -> None:
    async with fake_api() as (api, kube):
        await keeper(kube, postgres_dsn).ensure(namespace)
        (old,) = passwords(api, namespace)
        assert await signs_in(postgres_dsn, namespace, old)
        await keeper(kube, postgres_dsn, root=bytes(32)).ensure(namespace)
    kept, new = passwords(api, namespace)
    assert kept == old, "the operator can only create: the old Secret stays as it was"
    assert await signs_in(postgres_dsn, namespace, new)
    assert not await signs_in(postgres_dsn, namespace, old), "what the old Secret holds is of no use any more"


async def test_the_admin_dsn_is_read_again_for_each_connection(postgres_dsn: str, namespace: str) -> None:
    """Changing the admin's password needs no restart."""
    given = Admin(dsn=postgres_dsn, address=ADDRESS)
    async with fake_api() as (_, kube):
        store = StoreKeeper(kube, admin=lambda: given, address=ADDRESS, root=ROOT)
        await store.ensure(namespace)
        given = replace(given, dsn=postgres_dsn.replace(urlsplit(postgres_dsn).path, "/no_such_database"))
        with pytest.raises(StoreError, match="no_such_database"):
            await store.ensure(f"{namespace}-other")


async def test_another_admin_password_changes_no_tenants_password(postgres_dsn: str, namespace: str) -> None:
    parts = urlsplit(postgres_dsn)
    user = parts._replace(netloc=f"postgres:changed@{parts.netloc.partition('@')[2]}").geturl()
    async with fake_api() as (api, kube):
        await keeper(kube, postgres_dsn).ensure(namespace)
        (password,) = passwords(api, namespace)
        await keeper(kube, user).ensure(namespace)
        assert passwords(api, namespace) == [password]
    assert await signs_in(postgres_dsn, namespace, password)


async def test_another_address_keeps_the_password(postgres_dsn: str, namespace: str) -> None:
    async with fake_api() as (api, kube):
        await keeper(kube, postgres_dsn).ensure(namespace)
        moved = replace(ADDRESS, host="elsewhere", sslmode="require")
        await keeper(kube, postgres_dsn, address=moved).ensure(namespace)
    old, new = dsns(api, namespace)
    assert (urlsplit(old).hostname, urlsplit(new).hostname) == ("db", "elsewhere")
    assert new.endswith("&sslmode=require")
    for password in passwords(api, namespace):
        assert await signs_in(postgres_dsn, namespace, password), "pods of either Secret go on"


async def test_a_second_look_asks_nobody(postgres_dsn: str, namespace: str) -> None:
    async with fake_api() as (api, kube):
        store = keeper(kube, postgres_dsn)
        await store.ensure(namespace)
        asked = len(api.requests)
        await store.ensure(namespace)
        assert len(api.requests) == asked


async def test_a_dsn_that_postgres_refuses_is_said_in_words(postgres_dsn: str, namespace: str) -> None:
    refused = postgres_dsn.replace(urlsplit(postgres_dsn).path, "/no_such_database")
    async with fake_api() as (_, kube):
        with pytest.raises(StoreError, match=r"db:5432 .*no_such_database.* admin secret is right"):
            await keeper(kube, refused).ensure(namespace)


def dsns(api: FakeApi, namespace: str) -> list[str]:
    """What the namespace's Secrets hold, in the order they were made."""
    folder = f"/api/v1/namespaces/{namespace}/secrets/"
    return [found["stringData"]["dsn"] for path, found in api.objects.items() if path.startswith(folder)]


def passwords(api: FakeApi, namespace: str) -> list[str]:
    return [unquote(urlsplit(dsn).password or "") for dsn in dsns(api, namespace)]


async def signs_in(dsn: str, namespace: str, password: str) -> bool:
    """Whether Postgres takes the password: the test's server asks nobody for one, so what it stores is compared.

    SCRAM-SHA-256, RFC 5803: https://www.postgresql.org/docs/current/catalog-pg-authid.html
    """
    connection = await asyncpg.connect(dsn)
    try:
        role = f"ns_{namespace.replace('-', '_')}"
        stored = str(await connection.fetchval("SELECT rolpassword FROM pg_authid WHERE rolname = $1", role))
    finally:
        await connection.close()
    _, cost, keys = stored.split("$")
    iterations, salt = cost.split(":")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(iterations))
    client_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    return base64.b64encode(client_key).decode() == keys.split(":")[0]
