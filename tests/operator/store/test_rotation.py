"""Counting up a namespace's login, in a real Postgres: both logins work until no pod uses the earlier one."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest

from slipway_operator.core.namespaces import Namespace, namespace_of
from slipway_operator.core.projections import project
from slipway_operator.store.rotation import EarlierLogins
from slipway_runtime.store.opening import open_database
from tests.support.operator_objects import raw
from tests.support.store_keeping import CUT, Store, store_of


@pytest.fixture
async def store(postgres_dsn: str) -> AsyncIterator[Store]:
    async with store_of(postgres_dsn) as made:
        yield made


def put(store: Store, namespace: Namespace, kind: str, name: str, secret: str, *, version: int, **more: Any) -> None:
    """A Deployment, Job or pod that mounts the Secret."""
    pod = {"volumes": [{"name": "config"}, {"name": "store", "secret": {"secretName": secret}}]}
    spec = pod if kind == "Pod" else {"template": {"spec": pod}}
    metadata = {"namespace": namespace.name, "resourceVersion": str(version)}
    store.cache.put_child(project(kind, raw(kind, name, metadata=metadata, spec=spec, **more)))


def logins(store: Store, namespace: Namespace) -> list[str]:
    return [store.keeper.access(namespace, login=version).login for version in (1, 2)]


async def can_sign_in(store: Store, role: str) -> bool:
    try:
        connection = await asyncpg.connect(store.dsn_of(role))
    except asyncpg.InvalidAuthorizationSpecificationError:
        return False
    await connection.close()
    return True


def moves(store: Store, namespace: Namespace, first: str, second: str) -> tuple[Callable[[], None], ...]:
    """What goes on to another Secret, or ends, one after the other."""
    over = {"conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": "2027-01-15T08:00:00Z"}]}
    return (
        lambda: put(store, namespace, "Deployment", "support-1", second, version=2),
        lambda: put(store, namespace, "Pod", "support-1-a", first, version=2, status={"phase": "Failed"}),
        lambda: put(store, namespace, "Job", "docs-1", first, version=2, status=over),
    )


async def test_the_earlier_login_goes_when_nothing_uses_it_any_more(store: Store) -> None:
    namespace = store.namespace()
    await store.keeper.ensure(namespace)
    first = store.keeper.access(namespace)
    put(store, namespace, "Deployment", "support-1", first.secret_name, version=1)
    put(store, namespace, "Pod", "support-1-a", first.secret_name, version=1, status={"phase": "Running"})
    put(store, namespace, "Job", "docs-1", first.secret_name, version=1, status={})
    host = await open_database(store.dsn_of(first.login))
    await host.execute("INSERT INTO sessions VALUES ('s', 'a', 'c', 1, 1, 1)")
    rotated = store.rotated(namespace)
    assert not store.keeper.ready(rotated), "so that agents that serve ask for the new Secret"
    await store.keeper.ensure(rotated)
    second = store.keeper.access(rotated)
    earlier = EarlierLogins(store.kube, store.cache, store.keeper)
    for step in moves(store, namespace, first.secret_name, second.secret_name):
        await earlier.look()
        assert [await can_sign_in(store, role) for role in logins(store, namespace)] == [True, True]
        assert await host.fetch("SELECT id FROM sessions"), "a pod of before is served to its end"
        step()
    await earlier.look()
    roles = await store.as_admin("SELECT rolname::text FROM pg_roles WHERE rolname = ANY($1)", logins(store, namespace))
    assert roles == [(second.login,)]
    owners = [child.name for child in store.cache.store_config_maps()]
    assert owners == [second.secret_name], "the earlier Secret goes with its ConfigMap"
    assert f"/api/v1/namespaces/{namespace.name}/configmaps/{first.secret_name}" not in store.api.objects
    after = await open_database(store.dsn_of(second.login))
    assert [dict(row) for row in await after.fetch("SELECT id FROM sessions")] == [{"id": "s"}]
    await after.close()
    await host.close()


async def test_an_earlier_login_that_owns_something_is_shut_out(store: Store) -> None:
    namespace = store.namespace()
    await store.keeper.ensure(namespace)
    connection = await store.signed_in(namespace)
    await connection.execute("SET ROLE NONE")
    await connection.execute("SELECT lo_create(0)")
    rotated = store.rotated(namespace)
    await store.keeper.ensure(rotated)
    await EarlierLogins(store.kube, store.cache, store.keeper).look()
    assert [await can_sign_in(store, role) for role in logins(store, namespace)] == [False, True]
    with pytest.raises(CUT):
        await connection.fetchval("SELECT 1")


async def test_another_address_takes_the_earlier_secret_and_leaves_the_login(store: Store) -> None:
    namespace = store.namespace()
    await store.keeper.ensure(namespace)
    store.address = type(store.address)(host="elsewhere", port=5432, database="slipway")
    await store.restarted().ensure(namespace)
    await EarlierLogins(store.kube, store.cache, store.keeper).look()
    assert [child.name for child in store.cache.store_config_maps()] == [store.keeper.access(namespace).secret_name]
    assert await can_sign_in(store, store.keeper.access(namespace).login)


@pytest.mark.parametrize(
    ("text", "login"),
    [("1", 1), ("7", 7), ("999999", 999_999)]
    + [(text, None) for text in ("0", "-1", "1.0", "two", "", "1000000", "²")],
)
def test_the_annotation_is_a_whole_number(text: str, login: int | None) -> None:
    metadata = {"name": "demo", "uid": "x", "resourceVersion": "1", "annotations": {"slipway.dev/store-login": text}}
    assert namespace_of({"metadata": metadata}).login == login
