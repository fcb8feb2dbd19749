"""The role and the Secret of a namespace, in a real Postgres: made, and made anew when the admin's DSN changes."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import replace
from urllib.parse import unquote, urlsplit

import asyncpg
import pytest

from slipway_operator.builders.store import StoreAddress
from slipway_operator.store import Admin, StoreError, StoreKeeper
from tests.support.operator_api import FakeApi, fake_api

ADDRESS = StoreAddress(host="db", port=5432, database="slipway")


@pytest.fixture
def admin(postgres_dsn: str) -> Admin:
    return Admin(dsn=postgres_dsn, password="first", address=ADDRESS)


@pytest.fixture
def namespace() -> str:
    """Roles are of the whole server, which tests share."""
    return f"team-{secrets.token_hex(4)}"


async def test_rotating_the_admin_password_rotates_the_namespaces(admin: Admin, namespace: str) -> None:
    async with fake_api() as (api, kube):
        await StoreKeeper(kube, admin).ensure(namespace)
        (old,) = passwords(api, namespace)
        assert await signs_in(admin, namespace, old)
        await StoreKeeper(kube, replace(admin, password="second")).ensure(namespace)
    kept, new = passwords(api, namespace)
    assert kept == old, "the operator can only create: the old Secret stays as it was"
    assert await signs_in(admin, namespace, new)
    assert not await signs_in(admin, namespace, old), "what the old Secret holds is of no use any more"


async def test_another_address_keeps_the_password(admin: Admin, namespace: str) -> None:
    async with fake_api() as (api, kube):
        await StoreKeeper(kube, admin).ensure(namespace)
        moved = replace(admin, address=replace(ADDRESS, host="elsewhere", sslmode="require"))
        await StoreKeeper(kube, moved).ensure(namespace)
    old, new = dsns(api, namespace)
    assert (urlsplit(old).hostname, urlsplit(new).hostname) == ("db", "elsewhere")
    assert new.endswith("&sslmode=require")
    for password in passwords(api, namespace):
        assert await signs_in(admin, namespace, password), "pods of either Secret go on"


async def test_a_second_look_asks_nobody(admin: Admin, namespace: str) -> None:
    async with fake_api() as (api, kube):
        keeper = StoreKeeper(kube, admin)
        await keeper.ensure(namespace)
        asked = len(api.requests)
        await keeper.ensure(namespace)
        assert len(api.requests) == asked


async def test_a_dsn_that_postgres_refuses_is_said_in_words(admin: Admin, namespace: str) -> None:
    refused = replace(admin, dsn=admin.dsn.replace(urlsplit(admin.dsn).path, "/no_such_database"))
    async with fake_api() as (_, kube):
        with pytest.raises(StoreError, match=r"db:5432 .*no_such_database.* admin secret is right"):
            await StoreKeeper(kube, refused).ensure(namespace)


def dsns(api: FakeApi, namespace: str) -> list[str]:
    """What the namespace's Secrets hold, in the order they were made."""
    folder = f"/api/v1/namespaces/{namespace}/secrets/"
    return [found["stringData"]["dsn"] for path, found in api.objects.items() if path.startswith(folder)]


def passwords(api: FakeApi, namespace: str) -> list[str]:
    return [unquote(urlsplit(dsn).password or "") for dsn in dsns(api, namespace)]


async def signs_in(admin: Admin, namespace: str, password: str) -> bool:
    """Whether Postgres takes the password: the test's server asks nobody for one, so what it stores is compared.

    SCRAM-SHA-256, RFC 5803: https://www.postgresql.org/docs/current/catalog-pg-authid.html
    """
    connection = await asyncpg.connect(admin.dsn)
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
