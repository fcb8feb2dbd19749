"""Keys are accepted while they are in the file, and nothing else is."""

import json
from pathlib import Path

import pytest

from slipway_runtime.gateway.auth import (
    CHECK_SECONDS,
    GRACE_SECONDS,
    ApiKeys,
    Open,
    hash_key,
    looked_at,
    new_key,
    presented_keys,
)
from slipway_runtime.identity import Caller


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pass_a_moment(self) -> None:
        self.now += CHECK_SECONDS


def bearer(key: str) -> list[tuple[bytes, bytes]]:
    return [(b"authorization", b"Bearer " + key.encode())]


def write(path: Path, *entries: dict[str, object]) -> None:
    path.write_text(json.dumps({"keys": entries}))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_a_key_names_its_caller(path: Path, clock: Clock) -> None:
    key, entry = new_key("alice")
    write(path, entry.model_dump())
    keys = ApiKeys(path, clock=clock)
    assert keys.caller(bearer(key)) == Caller("alice")
    assert keys.caller([(b"x-api-key", key.encode())]) == Caller("alice")
    assert keys.missing() is None


def test_what_is_no_key_of_the_file_names_nobody(path: Path, clock: Clock) -> None:
    key, entry = new_key("alice")
    write(path, entry.model_dump())
    keys = ApiKeys(path, clock=clock)
    refused = [
        [],
        bearer(""),
        bearer(key + "x"),
        bearer(entry.sha256),  # the hash in the file opens nothing
        [(b"authorization", key.encode())],
        [(b"authorization", b"Basic " + key.encode())],
    ]
    assert [keys.caller(headers) for headers in refused] == [None] * len(refused)


def test_the_file_holds_no_key() -> None:
    key, entry = new_key("alice")
    assert key not in entry.model_dump_json()
    assert entry.sha256 == hash_key(key)
    assert new_key("alice")[0] != key


def test_rotation_needs_no_restart(path: Path, clock: Clock) -> None:
    old, old_entry = new_key("alice")
    new, new_entry = new_key("alice")
    write(path, old_entry.model_dump())
    keys = ApiKeys(path, clock=clock)
    assert keys.caller(bearer(old))
    write(path, old_entry.model_dump(), new_entry.model_dump())
    clock.pass_a_moment()
    assert keys.caller(bearer(old))
    assert keys.caller(bearer(new))
    write(path, new_entry.model_dump())
    clock.pass_a_moment()
    assert keys.caller(bearer(old)) is None
    assert keys.caller(bearer(new))


@pytest.mark.parametrize("fault", ["broken", "gone"])
def test_a_file_that_cannot_be_read_leaves_the_last_good_keys_for_a_minute(
    path: Path, clock: Clock, fault: str
) -> None:
    key, entry = new_key("alice")
    write(path, entry.model_dump())
    keys = ApiKeys(path, clock=clock)
    assert keys.caller(bearer(key))
    if fault == "broken":
        write(path, {"name": "alice", "sha256": "too short"})
    else:
        path.unlink()
    clock.pass_a_moment()
    assert keys.caller(bearer(key))
    assert {"broken": "keys.0.sha256", "gone": "make the Secret"}[fault] in (keys.missing() or "")
    clock.now += GRACE_SECONDS - 1
    assert keys.caller(bearer(key))
    clock.pass_a_moment()
    assert keys.caller(bearer(key)) is None
    write(path, entry.model_dump())
    clock.pass_a_moment()
    assert keys.caller(bearer(key))
    assert keys.missing() is None


def test_the_minute_begins_anew_once_the_file_was_right(path: Path, clock: Clock) -> None:
    key, entry = new_key("alice")
    write(path, entry.model_dump())
    keys = ApiKeys(path, clock=clock)
    hidden = path.with_suffix(".hidden")
    for _ in range(3):
        assert keys.caller(bearer(key))
        path.rename(hidden)
        clock.now += GRACE_SECONDS - 1
        assert keys.caller(bearer(key))
        hidden.rename(path)
        clock.pass_a_moment()
        assert keys.missing() is None


def test_without_a_file_nobody_gets_in(path: Path, clock: Clock) -> None:
    keys = ApiKeys(path, clock=clock)
    assert keys.caller(bearer("anything")) is None
    assert "make the Secret" in (keys.missing() or "")


def test_open_is_anonymous() -> None:
    assert Open().caller(bearer("whatever")) == Caller("anonymous")


def test_bearer_is_not_case_sensitive() -> None:
    assert presented_keys([(b"authorization", b"bearer  abc ")]) == ["abc"]


def test_a_foreign_authorization_does_not_hide_a_key(path: Path, clock: Clock) -> None:
    (alice, alices), (bob, bobs) = new_key("alice"), new_key("bob")
    write(path, alices.model_dump(), bobs.model_dump())
    keys = ApiKeys(path, clock=clock)
    key = (b"x-api-key", alice.encode())
    for foreign in (b"Bearer token-of-the-proxy", b"Basic dXNlcjpwYXNz", b"", b"Bearer", b"Bearer " + bob.encode()):
        for headers in ([(b"authorization", foreign), key], [key, (b"authorization", foreign)]):
            assert keys.caller(headers) == Caller("alice"), foreign
    assert keys.caller([(b"x-api-key", b"wrong"), *bearer(bob)]) == Caller("bob")


def test_a_refused_caller_learns_where_a_key_was_looked_for() -> None:
    assert looked_at([]) == "X-API-Key was not sent and Authorization was not sent"
    assert looked_at(bearer("x")) == "X-API-Key was not sent and Authorization holds no key of this gateway"
    both = [(b"authorization", b"Basic x"), (b"x-api-key", b"secret")]
    assert looked_at(both) == "X-API-Key holds no key of this gateway and Authorization is not 'Bearer KEY'"
