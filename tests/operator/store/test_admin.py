"""The admin's DSN: what is passed on to pods, and what is refused because it could not be."""

from pathlib import Path

import pytest

from slipway_operator.store.admin import AdminSecretError, read_admin
from slipway_operator.store.builders import StoreAddress

PLAIN = "postgresql://admin:p%40ss@db.example:6432/slipway"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "dsn"


def test_a_plain_dsn_is_taken_apart(file: Path) -> None:
    file.write_text(f"{PLAIN}\n")
    admin = read_admin(file)
    assert admin.dsn == PLAIN
    assert admin.address == StoreAddress(host="db.example", port=6432, database="slipway", sslmode="")


@pytest.mark.parametrize("sslmode", ["disable", "allow", "prefer", "require"])
def test_pods_get_the_mode(file: Path, sslmode: str) -> None:
    file.write_text(f"{PLAIN}?sslmode={sslmode}")
    admin = read_admin(file)
    assert admin.address.sslmode == sslmode
    assert admin.dsn == f"{PLAIN}?sslmode={sslmode}"


@pytest.mark.parametrize("sslmode", ["verify-ca", "verify-full"])
def test_the_authority_comes_with_the_bundle(file: Path, sslmode: str) -> None:
    file.write_text(f"{PLAIN}?sslmode={sslmode}")
    with pytest.raises(AdminSecretError, match=r"caBundle\.configMap"):
        read_admin(file)
    admin = read_admin(file, authorities=True)
    assert admin.address.sslmode == sslmode
    assert admin.dsn == f"{PLAIN}?sslmode={sslmode}&sslrootcert=/etc/slipway/ca/ca.crt"


@pytest.mark.parametrize(
    ("query", "advice"),
    [
        ("sslmode=verify-full&sslrootcert=/ca.pem", r"remove it, .* caBundle\.configMap"),
        ("sslmode=on", "must be one of disable, "),
        ("sslmode=", "must be one of disable, "),
        ("target_session_attrs=primary&application_name=x", "remove application_name, target_session_attrs"),
        ("host=elsewhere", "remove host"),
        ("sslcert", "remove sslcert"),
    ],
)
def test_what_cannot_be_passed_on_is_refused_with_advice(file: Path, query: str, advice: str) -> None:
    file.write_text(f"{PLAIN}?{query}")
    with pytest.raises(AdminSecretError, match=advice) as caught:
        read_admin(file, authorities=True)
    assert "p%40ss" not in str(caught.value)


def test_the_operator_may_take_another_way_than_pods(file: Path) -> None:
    file.write_text("postgresql://admin:secret@/slipway?host=/run/postgresql")
    address = read_admin(file, host="db.example").address
    assert (address.host, address.port) == ("db.example", 5432)


@pytest.mark.parametrize("host", ["", "fd00::2", "[fd00::2]"])
def test_ipv6_addresses_are_kept_bare(file: Path, host: str) -> None:
    file.write_text("postgresql://admin:secret@[fd00::1]:6432/slipway")
    assert read_admin(file, host=host).address.host == ("fd00::2" if host else "fd00::1")


def test_what_cannot_be_taken_apart_is_not_quoted(file: Path) -> None:
    file.write_text("postgresql://admin:s3cr#t@db.example:5432/slipway")
    with pytest.raises(AdminSecretError, match="write every character but letters and digits as %XX") as caught:
        read_admin(file)
    assert "s3cr" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_missing_secret_is_said_to_be_missing(file: Path) -> None:
    with pytest.raises(AdminSecretError, match=r"No such file.*postgres\.existingSecret.*key dsn"):
        read_admin(file)


@pytest.mark.parametrize("text", ["", "mysql://a:b@c/d", "postgresql://admin@db/slipway", "postgresql://a:b@/d"])
def test_what_is_no_dsn_with_a_password_is_refused(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(AdminSecretError, match="must hold postgresql://"):
        read_admin(file)
