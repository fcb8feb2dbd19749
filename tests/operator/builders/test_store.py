"""A namespace's sign-in to the store: derived, the same every time, and nobody else's."""

import pytest

from slipway_operator.builders.store import StoreAddress, role_name, store_access, store_secret

ADDRESS = StoreAddress(host="postgres", port=5432, database="slipway")


def test_everything_is_derived_from_the_admin_password() -> None:
    one = store_access("demo", "admin")
    assert one == store_access("demo", "admin")
    assert one.password != store_access("other", "admin").password
    rotated = store_access("demo", "new")
    assert rotated.password != one.password
    assert rotated.secret_name != one.secret_name, "pods roll onto the new Secret"


def test_the_secret_holds_a_dsn_with_the_schema() -> None:
    access = store_access("my-team", "admin")
    secret = store_secret(access, ADDRESS)
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
