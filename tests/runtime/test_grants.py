"""Grants as tokens: what is read back, and what is no grant."""

import time
from dataclasses import replace
from typing import Any

import jwt
import pytest

from slipway_runtime import grants
from slipway_runtime.gateway_tokens import AUDIENCE
from slipway_runtime.grants import MAX_DEPTH, MAX_SECONDS, TOKEN_TYPE, Grant, InvalidGrant
from slipway_runtime.identity import ISSUER, Caller, IdentitySigner

SIGNER = IdentitySigner.from_seed(bytes(range(32)))
ALICE = Caller("https://login.example", "alice", ("staff",))


def first(**changes: Any) -> Grant:
    return replace(grants.first(ALICE, actor="demo/lead", run="a" * 32, seconds=60), **changes)


def forged(signer: IdentitySigner = SIGNER, kind: str = TOKEN_TYPE, **changes: Any) -> str:
    """A token that differs from a good one in these claims; None leaves one out."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "issuer": "https://login.example",
        "act": {"sub": "demo/lead"},
        "run": "a" * 32,
        "depth": 1,
        "iat": now,
        "exp": now + 60,
        **changes,
    }
    return signer.sign_claims({name: value for name, value in claims.items() if value is not None}, kind=kind)


def test_what_was_signed_is_read_back() -> None:
    grant = first()
    token = grants.sign(grant, SIGNER)
    assert grants.is_grant(token)
    assert grants.verify(token, SIGNER) == grant
    assert grants.verify(forged(), SIGNER).actor == "demo/lead"


def test_a_grant_lasts_as_long_as_its_run_may_take_and_half_an_hour_at_most() -> None:
    now = time.time()
    assert 50 < first().expires - now <= 60
    assert grants.first(ALICE, actor="demo/lead", run="a", seconds=86_400).expires - now <= MAX_SECONDS


def test_a_nested_grant_is_deeper_and_ends_no_later() -> None:
    nested = first().nested(actor="demo/hr", run="b" * 32, seconds=3600)
    assert nested == Grant(ALICE, "demo/hr", "b" * 32, 2, first().expires)
    assert first(depth=MAX_DEPTH).nested(actor="demo/hr", run="b" * 32, seconds=60) is None


def test_an_expired_grant_is_renewed_for_its_own_run_and_no_deeper() -> None:
    token = grants.sign(first(depth=3, expires=int(time.time()) - 3600), SIGNER)
    renewed = grants.renewed(token, SIGNER, run="a" * 32, actor="demo/lead", seconds=60)
    assert (renewed.caller, renewed.depth) == (ALICE, 3)
    assert grants.verify(grants.sign(renewed, SIGNER), SIGNER) == renewed
    for other in ({"run": "b" * 32}, {"actor": "demo/hr"}):
        with pytest.raises(InvalidGrant, match="of another run"):
            grants.renewed(token, SIGNER, **{"run": "a" * 32, "actor": "demo/lead", "seconds": 60, **other})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"signer": IdentitySigner.generate()}, "not signed by a key of this gateway"),
        ({"kind": "slipway-identity+jwt"}, "no grant"),
        ({"iat": int(time.time()) - 9 * 86_400, "exp": int(time.time()) - 9 * 86_400 + 60}, "too old"),
    ],
)
def test_what_never_was_a_grant_of_late_is_not_renewed(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidGrant, match=why):
        grants.renewed(forged(**changes), SIGNER, run="a" * 32, actor="demo/lead", seconds=60)


NOW = int(time.time())


@pytest.mark.parametrize(
    "token",
    [
        forged(IdentitySigner.generate()),
        forged(kind="slipway-identity+jwt"),
        forged(aud="demo/lead"),
        forged(aud=None),
        forged(iss="somebody"),
        forged(exp=NOW - 60),
        forged(exp=NOW + 86_400),
        forged(exp=None),
        forged(iat=NOW + 3600, exp=NOW + 3660),
        forged(depth=MAX_DEPTH + 1),
        forged(depth=0),
        forged(depth=True),
        forged(depth="1"),
        forged(act="demo/lead"),
        forged(act={}),
        forged(run=None),
        forged(run=7),
        forged(groups="admins"),
        forged(issuer="a|b"),
        forged(exp=float("inf")),
        "no token",
        jwt.encode({"aud": AUDIENCE}, "secret" * 8, algorithm="HS256", headers={"typ": TOKEN_TYPE}),
    ],
)
def test_anything_else_grants_nothing(token: str) -> None:
    with pytest.raises(InvalidGrant):
        grants.verify(token, SIGNER)


def test_an_identity_is_no_grant_and_a_grant_no_identity() -> None:
    assert not grants.is_grant(SIGNER.sign(ALICE, "demo/lead"))
    assert not grants.is_grant("slipway-key")
