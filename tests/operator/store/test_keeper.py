"""A namespace's roles, Secret and ConfigMap, in a real Postgres: made, and made anew for another root or address."""

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import unquote, urlsplit

import asyncpg
import pytest

from slipway_operator.core.namespaces import Namespace
from slipway_operator.store.admin_connections import StoreError
from slipway_operator.store.keeper import NamespaceReplacedError
from tests.support.store_keeping import ADDRESS, Store, store_of


@pytest.fixture
async def store(postgres_dsn: str) -> AsyncIterator[Store]:
    async with store_of(postgres_dsn) as made:
        yield made


async def test_another_root_is_another_password(store: Store) -> None:
    namespace = store.namespace()
    await store.keeper.ensure(namespace)
    (old,) = passwords(store, namespace)
    assert await signs_in(store, namespace, old)
    store.root = bytes(32)
    await store.restarted().ensure(namespace)
    kept, new = passwords(store, namespace)
    assert kept == old, "the operator can only create: the old Secret stays as it was"
    assert await signs_in(store, namespace, new)
    assert not await signs_in(store, namespace, old), "what the old Secret holds is of no use any more"


async def test_the_admin_dsn_is_read_again_for_each_connection(store: Store) -> None:
    """Changing the admin's password needs no restart."""
    await store.keeper.ensure(store.namespace())
    store.dsn = store.dsn.replace(urlsplit(store.dsn).path, "/no_such_database")
    with pytest.raises(StoreError, match="no_such_database"):
        await store.keeper.ensure(store.namespace())


async def test_another_admin_password_changes_no_tenants_password(store: Store) -> None:
    namespace = store.namespace()
    await store.keeper.ensure(namespace)
    (password,) = passwords(store, namespace)
    parts = urlsplit(store.dsn)
    store.dsn = parts._replace(netloc=f"postgres:changed@{parts.netloc.partition('@')[2]}").geturl()
    await store.restarted().ensure(namespace)
    assert passwords(store, namespace) == [password]
    assert await signs_in(store, namespace, password)


async def test_another_address_keeps_the_password(store: Store) -> None:
    namespace = store.namespace()
    await store.keeper.ensure(namespace)
    store.address = replace(ADDRESS, host="elsewhere", sslmode="require")
    await store.restarted().ensure(namespace)
    old, new = dsns(store, namespace)
    assert (urlsplit(old).hostname, urlsplit(new).hostname) == ("db", "elsewhere")
    assert new.endswith("?sslmode=require")
    for password in passwords(store, namespace):
        assert await signs_in(store, namespace, password), "pods of either Secret go on"


async def test_a_second_look_asks_nobody(store: Store) -> None:
    namespace = store.namespace()
    await store.keeper.ensure(namespace)
    asked = len(store.api.requests)
    await store.keeper.ensure(namespace)
    assert len(store.api.requests) == asked


async def test_an_operator_that_restarts_finds_what_was_made(store: Store) -> None:
    namespace = store.namespace()
    assert not store.keeper.ready(namespace)
    await store.keeper.ensure(namespace)
    assert store.restarted().ready(namespace), "so that agents that serve are not looked at further"


async def test_a_dsn_that_postgres_refuses_is_said_in_words(store: Store) -> None:
    store.dsn = store.dsn.replace(urlsplit(store.dsn).path, "/no_such_database")
    with pytest.raises(StoreError, match=r"db:5432 .*no_such_database.* admin secret is right"):
        await store.keeper.ensure(store.namespace())


async def test_deleting_the_config_map_takes_the_secret_along_and_both_come_back(store: Store) -> None:
    namespace = store.namespace()
    await store.keeper.ensure(namespace)
    (secret,) = of_kind(store, namespace, "secrets")
    (config_map,) = of_kind(store, namespace, "configmaps")
    metadata = store.api.objects[config_map]["metadata"]
    (owner,) = store.api.objects[secret]["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("ConfigMap", metadata["name"], metadata["uid"])
    assert metadata["ownerReferences"][0]["uid"] == namespace.uid
    del store.api.objects[config_map]
    store.cache.drop_child(("ConfigMap", namespace.name, metadata["name"]), metadata["uid"])
    assert not store.keeper.ready(namespace)
    with pytest.raises(StoreError, match="is there without its ConfigMap"):
        await store.keeper.ensure(namespace)
    del store.api.objects[secret]  # by the garbage collector
    await store.keeper.ensure(namespace)
    assert (of_kind(store, namespace, "secrets"), of_kind(store, namespace, "configmaps")) == ([secret], [config_map])


async def test_a_namespace_made_again_gets_its_own_secret_at_once(store: Store) -> None:
    old = store.namespace()
    await store.keeper.ensure(old)
    for path in [path for path in store.api.objects if f"/namespaces/{old.name}/" in path]:
        del store.api.objects[path]
    cached = store.cache.namespace(old.name)
    new = store.namespace(old.name)
    store.cache.drop_namespace(new.name, new.uid)
    store.cache.put_namespace(cached or old)
    store.restarted()
    with pytest.raises(NamespaceReplacedError):
        await store.keeper.ensure(old)
    assert of_kind(store, old, "secrets") == [], "nothing of the old one gets into the new one"
    known = await store.keeper.namespace(old.name)
    assert known is not None
    assert known.uid == new.uid
    await store.keeper.ensure(known)
    (secret,) = of_kind(store, new, "secrets")
    assert secret.endswith(store.keeper.access(new).secret_name)


def of_kind(store: Store, namespace: Namespace, plural: str) -> list[str]:
    """Paths of the namespace's objects, in the order they were made."""
    return [path for path in store.api.objects if path.startswith(f"/api/v1/namespaces/{namespace.name}/{plural}/")]


def dsns(store: Store, namespace: Namespace) -> list[str]:
    """What the namespace's Secrets hold, in the order they were made."""
    return [store.api.objects[path]["stringData"]["dsn"] for path in of_kind(store, namespace, "secrets")]


def passwords(store: Store, namespace: Namespace) -> list[str]:
    return [unquote(urlsplit(dsn).password or "") for dsn in dsns(store, namespace)]


async def signs_in(store: Store, namespace: Namespace, password: str) -> bool:
    """Whether Postgres takes the password: the test's server asks nobody for one, so what it stores is compared.

    SCRAM-SHA-256, RFC 5803: https://www.postgresql.org/docs/current/catalog-pg-authid.html
    """
    connection = await asyncpg.connect(store.dsn)
    try:
        role = store.keeper.access(namespace).login
        stored = str(await connection.fetchval("SELECT rolpassword FROM pg_authid WHERE rolname = $1", role))
    finally:
        await connection.close()
    _, cost, keys = stored.split("$")
    iterations, salt = cost.split(":")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(iterations))
    client_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    return base64.b64encode(client_key).decode() == keys.split(":")[0]
