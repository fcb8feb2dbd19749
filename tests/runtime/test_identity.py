"""Tokens that a host must believe, and the ones that it must not."""

import base64
import time
from collections.abc import Callable, Mapping
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from slipway_runtime import identity
from slipway_runtime.identity import (
    ANONYMOUS,
    API_KEYS,
    ISSUER,
    LIFETIME_SECONDS,
    MAX_AGE_SECONDS,
    REUSED_SECONDS,
    TOKEN_TYPE,
    Caller,
    IdentitySigner,
    IdentityVerifier,
    InvalidIdentity,
    InvalidKey,
    _Verified,
)

AGENT = "demo/support"
SEED = bytes(range(32))
KEY = Ed25519PrivateKey.from_private_bytes(SEED)
ALICE = Caller.by_key("alice")


def now() -> int:
    return int(time.time())


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    base = {
        "iss": ISSUER,
        "aud": AGENT,
        "sub": "alice",
        "issuer": API_KEYS,
        "iat": now,
        "exp": now + LIFETIME_SECONDS,
    }
    return {name: value for name, value in (base | changes).items() if value is not None}


def forge(key: Any = KEY, algorithm: str = "EdDSA", typ: str = TOKEN_TYPE, **changes: Any) -> str:
    return jwt.encode(claims(**changes), key, algorithm=algorithm, headers={"typ": typ})


@pytest.fixture
def verifier() -> IdentityVerifier:
    return IdentityVerifier([IdentitySigner.from_seed(SEED).public_key])


def test_a_signed_caller_comes_back_whole(verifier: IdentityVerifier) -> None:
    assert verifier.verify(IdentitySigner.from_seed(SEED).sign(ALICE, AGENT), AGENT) == ALICE


def test_the_groups_and_the_issuer_of_a_caller_reach_the_host(verifier: IdentityVerifier) -> None:
    caller = Caller("https://id.example.org", "auth0|alice", ("staff", "leads"))
    assert verifier.verify(IdentitySigner.from_seed(SEED).sign(caller, AGENT), AGENT) == caller


def test_two_callers_never_have_one_owner() -> None:
    assert Caller.by_key("alice").owner == "alice"
    assert ANONYMOUS.owner == "open|anonymous"
    assert Caller("https://id.example.org", "auth0|alice").owner == "https://id.example.org|auth0|alice"
    for issuer, subject in (("a|b", "c"), ("", "c"), ("a", ""), (API_KEYS, "a|b")):
        with pytest.raises(ValueError, match="must not"):
            Caller(issuer, subject)


def test_pem_and_seed_are_the_same_key(verifier: IdentityVerifier) -> None:
    pem = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert verifier.verify(IdentitySigner.from_pem(pem).sign(ALICE, AGENT), AGENT) == ALICE


def test_a_token_lives_for_a_minute() -> None:
    token = IdentitySigner.from_seed(SEED).sign(ALICE, AGENT)
    decoded = jwt.decode(token, options={"verify_signature": False})
    assert decoded["exp"] - decoded["iat"] == LIFETIME_SECONDS


def test_a_token_is_given_out_again_for_a_while_to_the_same_caller_and_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    signer, began = IdentitySigner.from_seed(SEED), time.time()
    token = signer.sign(ALICE, AGENT)

    def at(seconds: float) -> str:
        monkeypatch.setattr("slipway_runtime.identity.time.time", lambda: began + seconds)
        return signer.sign(ALICE, AGENT)

    assert at(REUSED_SECONDS - 1) == token
    assert at(REUSED_SECONDS + 1) != token
    assert at(-30) != token, "the clock was set back"
    others = [signer.sign(Caller.by_key("bob"), AGENT), signer.sign(ALICE, "demo/billing")]
    assert len({at(-30), *others}) == 3


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch, verifier: IdentityVerifier) -> None:
    monkeypatch.setattr(identity, "TOKENS_KEPT", 2)
    signer = IdentitySigner.from_seed(SEED)
    for name in ("ann", "bob", "eve", "ann"):
        assert verifier.verify(signer.sign(Caller.by_key(name), AGENT), AGENT) == Caller.by_key(name)
    assert max(len(signer._signed), len(verifier._verified)) <= 2


def test_a_token_that_was_verified_before_counts_for_its_agent_and_its_time(
    monkeypatch: pytest.MonkeyPatch, verifier: IdentityVerifier
) -> None:
    token = IdentitySigner.from_seed(SEED).sign(ALICE, AGENT)
    assert [verifier.verify(token, AGENT) for _ in range(2)] == [ALICE] * 2
    with pytest.raises(InvalidIdentity):
        verifier.verify(token, "demo/billing")
    began = time.time()
    monkeypatch.setattr("slipway_runtime.identity.time.time", lambda: began + MAX_AGE_SECONDS + 2)
    with pytest.raises(InvalidIdentity):
        verifier.verify(token, AGENT)


@pytest.mark.parametrize(
    ("now", "current"), [(989, False), (990, True), (1000, True), (1069, True), (1070, False), (1000 + 3600, False)]
)
def test_a_verified_token_is_current_as_long_as_a_token_counts(now: float, current: bool) -> None:
    assert _Verified(ALICE, issued=1000, expires=1060).is_current(now) is current


def test_a_verified_token_that_expires_late_is_not_current_for_ever() -> None:
    token = _Verified(ALICE, issued=1000, expires=9_000_000)
    assert [token.is_current(1000 + age) for age in (MAX_AGE_SECONDS, MAX_AGE_SECONDS + 1)] == [True, False]


REFUSED: Mapping[str, Callable[[], str]] = {
    # Made when the test runs: these tests may be collected minutes before.
    "another gateway's key": lambda: forge(key=Ed25519PrivateKey.generate()),
    "another agent": lambda: forge(aud="demo/billing"),
    "another namespace": lambda: forge(aud="other/support"),
    "another issuer": lambda: forge(iss="somebody"),
    "expired": lambda: forge(iat=now() - 120, exp=now() - 60),
    "issued in the future": lambda: forge(iat=now() + 600, exp=now() + 660),
    "issued a year ago, and good for a hundred more": lambda: forge(
        iat=now() - 365 * 86_400, exp=now() + 36_500 * 86_400
    ),
    "issued a little too long ago": lambda: forge(iat=now() - MAX_AGE_SECONDS - 1, exp=now() + 60),
    "issued before time began": lambda: forge(iat=-1, exp=now() + 60),
    "issued for ever ago": lambda: forge(iat=float("-inf"), exp=now() + 60),
    "issued never": lambda: forge(iat=float("nan"), exp=now() + 60),
    "issued for ever ahead": lambda: forge(iat=float("inf"), exp=now() + 60),
    "issued in a minute": lambda: forge(iat=now() + 60, exp=now() + 120),
    "issue time is text": lambda: forge(iat="yesterday"),
    "another type": lambda: forge(typ="JWT"),
    "no expiry": lambda: forge(exp=None),
    "no issue time": lambda: forge(iat=None),
    "no subject": lambda: forge(sub=None),
    "an empty subject": lambda: forge(sub=""),
    "no issuer of the subject": lambda: forge(issuer=None),
    "an empty issuer of the subject": lambda: forge(issuer=""),
    "an issuer of the subject that is no text": lambda: forge(issuer=7),
    "an issuer that could be another's with its subject": lambda: forge(issuer="https://a.example|x"),
    "a key's name that could be another issuer's subject": lambda: forge(sub="https://a.example|alice"),
    "groups that are no list": lambda: forge(groups="staff"),
    "groups that are no text": lambda: forge(groups=[["staff"]]),
    "no audience": lambda: forge(aud=None),
    "no issuer": lambda: forge(iss=None),
    "subject is no text": lambda: forge(sub=7),
    "unsigned": lambda: forge(key=None, algorithm="none"),
    "the public key as an HMAC secret": lambda: forge(
        key=base64.b64decode(IdentitySigner.from_seed(SEED).public_key), algorithm="HS256"
    ),
    "payload exchanged": lambda: ".".join(
        [forge().split(".")[0], forge(sub="root").split(".")[1], forge().split(".")[2]],
    ),
    "not a token": lambda: "alice",
    "nothing": lambda: "",
}


def test_a_token_that_was_issued_within_five_minutes_counts(verifier: IdentityVerifier) -> None:
    """A clock of a node that is off by a little is no reason to refuse."""
    assert verifier.verify(forge(iat=int(time.time()) - MAX_AGE_SECONDS + 60), AGENT) == ALICE
    assert verifier.verify(forge(iat=int(time.time()) + 5), AGENT) == ALICE


def test_during_a_rotation_either_key_counts() -> None:
    old, new, other = (IdentitySigner.generate() for _ in range(3))
    verifier = IdentityVerifier([old.public_key, new.public_key])
    assert verifier.verify(old.sign(ALICE, AGENT), AGENT) == ALICE
    assert verifier.verify(new.sign(ALICE, AGENT), AGENT) == ALICE
    with pytest.raises(InvalidIdentity, match="not signed by a key"):
        verifier.verify(other.sign(ALICE, AGENT), AGENT)


@pytest.mark.parametrize("make_token", REFUSED.values(), ids=REFUSED.keys())
def test_refused(verifier: IdentityVerifier, make_token: Callable[[], str]) -> None:
    with pytest.raises(InvalidIdentity):
        verifier.verify(make_token(), AGENT)


def test_keys_of_another_kind_are_refused() -> None:
    rsa = generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(InvalidKey, match="Ed25519"):
        IdentitySigner.from_pem(rsa)
    with pytest.raises(InvalidKey, match="PEM"):
        IdentitySigner.from_pem(b"garbage")
    with pytest.raises(InvalidKey, match="32 bytes"):
        IdentitySigner.from_seed(b"short")
    with pytest.raises(InvalidKey, match="base64"):
        IdentityVerifier(["not base64!"])
