"""Keys are accepted while they are in the file, and nothing else is."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from slipway_runtime.gateway.auth import (
    CHECK_SECONDS,
    GRACE_SECONDS,
    ApiKeys,
    hash_key,
    looked_at,
    new_key,
    presented_keys,
)
from slipway_runtime.gateway.callers import AuthenticatorChain, Headers, Open, Unproven
from slipway_runtime.identity import ANONYMOUS, Caller

ALICE = Caller.by_key("alice")


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


def move(here: Path, there: Path) -> None:
    here.rename(there)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


async def test_a_key_names_its_caller(path: Path, clock: Clock) -> None:
    key, entry = new_key("alice")
    write(path, entry.model_dump())
    keys = ApiKeys(path, clock=clock)
    assert await keys.caller(bearer(key)) == Caller.by_key("alice")
    assert await keys.caller([(b"x-api-key", key.encode())]) == Caller.by_key("alice")
    assert keys.missing() is None


async def test_what_is_no_key_of_the_file_names_nobody(path: Path, clock: Clock) -> None:
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
    assert [type(await keys.caller(headers)) for headers in refused] == [Unproven] * len(refused)


def test_the_file_holds_no_key() -> None:
    key, entry = new_key("alice")
    assert key not in entry.model_dump_json()
    assert entry.sha256 == hash_key(key)
    assert new_key("alice")[0] != key


async def test_rotation_needs_no_restart(path: Path, clock: Clock) -> None:
    old, old_entry = new_key("alice")
    new, new_entry = new_key("alice")
    write(path, old_entry.model_dump())
    keys = ApiKeys(path, clock=clock)
    assert await keys.caller(bearer(old)) == ALICE
    write(path, old_entry.model_dump(), new_entry.model_dump())
    clock.pass_a_moment()
    assert await keys.caller(bearer(old)) == ALICE
    assert await keys.caller(bearer(new)) == ALICE
    write(path, new_entry.model_dump())
    clock.pass_a_moment()
    assert isinstance(await keys.caller(bearer(old)), Unproven)
    assert await keys.caller(bearer(new)) == ALICE


@pytest.mark.parametrize("fault", ["broken", "gone"])
async def test_a_file_that_cannot_be_read_leaves_the_last_good_keys_for_a_minute(
    path: Path, clock: Clock, fault: str
) -> None:
    key, entry = new_key("alice")
    write(path, entry.model_dump())
    keys = ApiKeys(path, clock=clock)
    assert await keys.caller(bearer(key)) == ALICE
    if fault == "broken":
        write(path, {"name": "alice", "sha256": "too short"})
    else:
        move(path, path.with_suffix(".hidden"))
    clock.pass_a_moment()
    assert await keys.caller(bearer(key)) == ALICE
    assert {"broken": "keys.0.sha256", "gone": "make the Secret"}[fault] in (keys.missing() or "")
    clock.now += GRACE_SECONDS - 1
    assert await keys.caller(bearer(key)) == ALICE
    clock.pass_a_moment()
    assert isinstance(await keys.caller(bearer(key)), Unproven)
    write(path, entry.model_dump())
    clock.pass_a_moment()
    assert await keys.caller(bearer(key)) == ALICE
    assert keys.missing() is None


async def test_the_minute_begins_anew_once_the_file_was_right(path: Path, clock: Clock) -> None:
    key, entry = new_key("alice")
    write(path, entry.model_dump())
    keys = ApiKeys(path, clock=clock)
    hidden = path.with_suffix(".hidden")
    for _ in range(3):
        assert await keys.caller(bearer(key)) == ALICE
        move(path, hidden)
        clock.now += GRACE_SECONDS - 1
        assert await keys.caller(bearer(key)) == ALICE
        move(hidden, path)
        clock.pass_a_moment()
        assert keys.missing() is None


async def test_without_a_file_nobody_gets_in(path: Path, clock: Clock) -> None:
    keys = ApiKeys(path, clock=clock)
    assert isinstance(await keys.caller(bearer("anything")), Unproven)
    assert "make the Secret" in (keys.missing() or "")


async def test_open_is_anonymous() -> None:
    assert await Open().caller(bearer("whatever")) == ANONYMOUS


def test_bearer_is_not_case_sensitive() -> None:
    assert presented_keys([(b"authorization", b"bearer  abc ")]) == ["abc"]


async def test_a_foreign_authorization_does_not_hide_a_key(path: Path, clock: Clock) -> None:
    (alice, alices), (bob, bobs) = new_key("alice"), new_key("bob")
    write(path, alices.model_dump(), bobs.model_dump())
    keys = ApiKeys(path, clock=clock)
    key = (b"x-api-key", alice.encode())
    for foreign in (b"Bearer token-of-the-proxy", b"Basic dXNlcjpwYXNz", b"", b"Bearer", b"Bearer " + bob.encode()):
        for headers in ([(b"authorization", foreign), key], [key, (b"authorization", foreign)]):
            assert await keys.caller(headers) == Caller.by_key("alice"), foreign
    assert await keys.caller([(b"x-api-key", b"wrong"), *bearer(bob)]) == Caller.by_key("bob")


def test_a_refused_caller_learns_where_a_key_was_looked_for() -> None:
    assert looked_at([]) == "X-API-Key was not sent and Authorization was not sent"
    assert looked_at(bearer("x")) == "X-API-Key was not sent and Authorization holds no key of this gateway"
    both = [(b"authorization", b"Basic x"), (b"x-api-key", b"secret")]
    assert looked_at(both) == "X-API-Key holds no key of this gateway and Authorization is not 'Bearer KEY'"


class Badges:
    """Knows who wears a badge."""

    async def caller(self, headers: Headers) -> Caller | Unproven:
        badge = dict(headers).get(b"x-badge", b"").decode()
        if badge == "blue":
            return Caller("https://badges.example", "carol", ("staff",))
        return Unproven(presented=bool(badge), finding="X-Badge is not blue", remedy="wear a blue badge")

    def missing(self) -> str | None:
        return None


async def test_authenticators_are_asked_one_after_the_other(path: Path, clock: Clock) -> None:
    key, entry = new_key("alice")
    write(path, entry.model_dump())
    chain = AuthenticatorChain([ApiKeys(path, clock=clock), Badges()])
    badge = (b"x-badge", b"blue")
    assert await chain.caller(bearer(key)) == ALICE
    assert await chain.caller([badge]) == Caller("https://badges.example", "carol", ("staff",))
    assert await chain.caller([badge, *bearer(key)]) == ALICE
    assert await chain.caller([badge, *bearer("a token of a proxy")]) != ALICE
    nothing = await chain.caller([])
    assert isinstance(nothing, Unproven)
    assert nothing.cause == "no key"
    assert "X-API-Key was not sent" in nothing.finding
    assert "X-Badge is not blue" in nothing.finding
    assert "send an API key" in nothing.remedy
    assert "wear a blue badge" in nothing.remedy
    wrong = await chain.caller([(b"x-badge", b"red")])
    assert isinstance(wrong, Unproven)
    assert wrong.cause == "unknown key"
    move(path, path.with_suffix(".hidden"))
    clock.pass_a_moment()
    assert "make the Secret" in (chain.missing() or "")


def test_a_name_that_could_be_another_issuers_caller_gets_no_key() -> None:
    with pytest.raises(ValidationError, match=r"must not contain \|"):
        new_key("https://id.example.org|alice")


@pytest.mark.parametrize("groups", [["g"] * 201, ["g" * 253] * 40, [""]])
def test_groups_are_bounded_since_hosts_get_them_in_a_header(groups: list[str]) -> None:
    with pytest.raises(ValidationError, match="groups"):
        new_key("alice", groups=groups)


async def test_a_key_has_its_groups(path: Path, clock: Clock) -> None:
    key, entry = new_key("alice", groups=["staff", "leads"])
    write(path, entry.model_dump())
    assert await ApiKeys(path, clock=clock).caller(bearer(key)) == Caller("api-keys", "alice", ("staff", "leads"))


async def test_a_file_with_such_a_name_lets_nobody_in(path: Path, clock: Clock) -> None:
    key, entry = new_key("alice")
    write(path, {**entry.model_dump(), "name": "https://id.example.org|alice"})
    keys = ApiKeys(path, clock=clock)
    assert isinstance(await keys.caller(bearer(key)), Unproven)
    assert "keys.0.name: Value error, must not contain |" in (keys.missing() or "")
