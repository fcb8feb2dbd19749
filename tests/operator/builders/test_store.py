"""A namespace's sign-in to the store: derived, the same every time, and nobody else's."""

from dataclasses import replace
from typing import Any

import pytest

from slipway_operator.builders.store import StoreAddress, role_name, store_access, store_secret

ROOT = bytes(range(32))
ADDRESS = StoreAddress(host="postgres", port=5432, database="slipway")


def test_everything_is_derived_from_the_root() -> None:
    one = store_access("demo", ROOT, ADDRESS)
    assert one == store_access("demo", ROOT, ADDRESS)
    assert one.password != store_access("other", ROOT, ADDRESS).password
    rotated = store_access("demo", bytes(32), ADDRESS)
    assert rotated.password != one.password
    assert rotated.secret_name != one.secret_name, "pods roll onto the new Secret"


@pytest.mark.parametrize(
    "change", [{"host": "elsewhere"}, {"port": 6432}, {"database": "other"}, {"sslmode": "require"}]
)
def test_another_address_is_another_secret(change: dict[str, Any]) -> None:
    """The operator cannot change the old one, and pods roll onto the new one."""
    old = store_access("demo", ROOT, ADDRESS)
    new = store_access("demo", ROOT, replace(ADDRESS, **change))
    assert new.secret_name != old.secret_name
    assert (new.role, new.password) == (old.role, old.password)


def test_the_secret_holds_a_dsn_with_the_schema() -> None:
    access = store_access("my-team", ROOT, ADDRESS)
    secret = store_secret(access)
    assert secret.get("stringData") == {
        "dsn": f"postgresql://ns_my_team:{access.password}@postgres:5432/slipway?options=-csearch_path%3Dns_my_team"
    }
    assert "ownerReferences" not in secret["metadata"], "it serves every agent of the namespace"


@pytest.mark.parametrize("length", [1, 60, 61, 63])
def test_a_role_fits_a_postgres_identifier(length: int) -> None:
    name = "a" * length
    assert len(role_name(name)) <= 63


def test_long_namespaces_keep_apart() -> None:
    assert role_name("a" * 62 + "b") != role_name("a" * 62 + "c")


@pytest.mark.parametrize(
    ("sslmode", "tls"),
    [
        ("", ""),
        ("disable", "&sslmode=disable"),
        ("require", "&sslmode=require"),
        ("verify-full", "&sslmode=verify-full&sslrootcert=/etc/slipway/ca/ca.crt"),
    ],
)
def test_a_namespace_connects_as_safely_as_the_admin(sslmode: str, tls: str) -> None:
    dsn = dsn_of(replace(ADDRESS, sslmode=sslmode))
    assert dsn.endswith(f"?options=-csearch_path%3Dns_demo{tls}")


def test_an_ipv6_address_has_its_brackets() -> None:
    assert "@[fd00::1]:5432/slipway?" in dsn_of(replace(ADDRESS, host="fd00::1"))


def dsn_of(address: StoreAddress) -> str:
    return store_access("demo", ROOT, address).dsn
