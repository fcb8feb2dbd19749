"""A namespace's sign-in to the store: derived, the same every time, and nobody else's."""

import uuid
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_operator.store.builders import (
    StoreAccess,
    StoreAddress,
    login_role,
    owner_role,
    purge_role,
    store_access,
    store_config_map,
    store_secret,
)

ROOT = bytes(range(32))
ADDRESS = StoreAddress(host="postgres", port=5432, database="slipway")
UID, OTHER = "5f1f7e4c-0d7c-4c0e-8f53-0e5b2f3a9d11", "5f1f7e4c-0d7c-4c0e-8f53-0e5b2f3a9d12"
UIDS = st.uuids().map(str)
IDENTIFIER_MAX = 63
"""Bytes in a Postgres identifier: what is longer is cut without an error."""


def access(uid: str = UID, version: int = 1, *, root: bytes = ROOT, address: StoreAddress = ADDRESS) -> StoreAccess:
    return store_access("demo", uid, version, root=root, address=address)


def test_everything_is_derived_from_root_uid_and_version() -> None:
    one = access()
    assert one == access()
    for other in (access(OTHER), access(version=2), access(root=bytes(32))):
        assert other.password != one.password
        assert other.secret_name != one.secret_name, "pods roll onto the new Secret"


@pytest.mark.parametrize(
    "change", [{"host": "elsewhere"}, {"port": 6432}, {"database": "other"}, {"sslmode": "require"}]
)
def test_another_address_is_another_secret(change: dict[str, Any]) -> None:
    """The operator cannot change the old one, and pods roll onto the new one."""
    old, new = access(), access(address=replace(ADDRESS, **change))
    assert new.secret_name != old.secret_name
    assert (new.login, new.password) == (old.login, old.password)


def test_the_secret_holds_a_dsn_and_belongs_to_the_config_map_of_its_name() -> None:
    found = access()
    secret, config_map = store_secret(found, "uid-of-it"), store_config_map(found)
    login = "ns_5f1f7e4c0d7c4c0e8f530e5b2f3a9d11_v1"
    assert secret.get("stringData") == {"dsn": f"postgresql://{login}:{found.password}@postgres:5432/slipway"}
    (owner,) = secret["metadata"].get("ownerReferences", [])
    assert (owner["kind"], owner["name"], owner["uid"]) == ("ConfigMap", config_map["metadata"]["name"], "uid-of-it")
    assert found.password not in str(config_map)


@given(st.lists(st.tuples(UIDS, st.integers(1, 999_999)), min_size=2, max_size=2, unique=True))
def test_no_two_logins_have_a_name_in_common(two: list[tuple[str, int]]) -> None:
    (uid, version), (other_uid, other_version) = two
    names = {owner_role(uid), purge_role(uid), login_role(uid, version)}
    assert len(names) == 3
    assert all(len(name.encode()) <= IDENTIFIER_MAX for name in names)
    assert login_role(other_uid, other_version) not in names
    assert access(uid, version).secret_name != access(other_uid, other_version).secret_name
    if uid != other_uid:
        assert not names & {owner_role(other_uid), purge_role(other_uid)}


@given(st.text() | UIDS.map(str.upper) | UIDS.map(lambda uid: uid.replace("-", "")) | UIDS.map("{{{}}}".format))
def test_what_is_no_uid_of_kubernetes_makes_no_role(text: str) -> None:
    try:
        same = str(uuid.UUID(text)) == text
    except ValueError:
        same = False
    if not same:
        with pytest.raises(ValueError, match="is not the UID of a namespace"):
            owner_role(text)


@pytest.mark.parametrize(
    ("sslmode", "tls"),
    [
        ("", ""),
        ("disable", "?sslmode=disable"),
        ("require", "?sslmode=require"),
        ("verify-full", "?sslmode=verify-full&sslrootcert=/etc/slipway/ca/ca.crt"),
    ],
)
def test_a_namespace_connects_as_safely_as_the_admin(sslmode: str, tls: str) -> None:
    assert access(address=replace(ADDRESS, sslmode=sslmode)).dsn.endswith(f"/slipway{tls}")


def test_an_ipv6_address_has_its_brackets() -> None:
    assert "@[fd00::1]:5432/slipway" in access(address=replace(ADDRESS, host="fd00::1")).dsn
