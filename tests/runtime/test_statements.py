"""Statements as tokens: what is read back, and what is no statement."""

import time
from typing import Any

import pytest

from slipway_runtime import grants, statements
from slipway_runtime.gateway_tokens import AUDIENCE
from slipway_runtime.identity import ISSUER, Caller, IdentitySigner
from slipway_runtime.statements import MAX_SECONDS, TOKEN_TYPE, InvalidStatement, workflow_caller

SIGNER = IdentitySigner.from_seed(bytes(range(32)))
ALICE = Caller("https://login.example", "alice", ("staff",))
NOW = int(time.time())


def forged(signer: IdentitySigner = SIGNER, kind: str = TOKEN_TYPE, **changes: Any) -> str:
    """A token that differs from a good one in these claims; None leaves one out."""
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "issuer": "https://login.example",
        "workflow": "demo/report",
        "run": "a" * 32,
        "iat": NOW,
        "exp": NOW + 3600,
        **changes,
    }
    return signer.sign_claims({name: value for name, value in claims.items() if value is not None}, kind=kind)


def test_what_was_signed_is_read_back() -> None:
    statement = statements.issue(ALICE, workflow="demo/report", run="a" * 32, seconds=60)
    assert statements.verify(statements.sign(statement, SIGNER), SIGNER) == statement
    assert statements.verify(forged(), SIGNER).workflow == "demo/report"


def test_a_statement_lasts_as_long_as_its_run_may_take_and_a_month_at_most() -> None:
    short, endless = (
        statements.issue(ALICE, workflow="demo/report", run="a", seconds=seconds).expires - time.time()
        for seconds in (60, 10**9)
    )
    assert 50 < short <= 60
    assert endless <= MAX_SECONDS


@pytest.mark.parametrize(
    "token",
    [
        "",
        "nonsense",
        forged(IdentitySigner.generate()),
        forged(kind=grants.TOKEN_TYPE),
        forged(exp=NOW - 60),
        forged(aud="demo/support"),
        forged(iss="somebody"),
        forged(run=None),
        forged(workflow=7),
        forged(groups="staff"),
        forged(issuer="a|b"),
        forged(exp=10**400),
        SIGNER.sign(ALICE, AUDIENCE),
        grants.sign(grants.first(ALICE, actor="demo/lead", run="a" * 32, seconds=60), SIGNER),
    ],
)
def test_anything_else_is_no_statement(token: str) -> None:
    with pytest.raises(InvalidStatement):
        statements.verify(token, SIGNER)


def test_a_statement_is_no_credential_of_an_agent() -> None:
    assert not grants.is_grant(forged())


def test_a_workflow_is_no_caller_that_a_provider_or_a_key_could_name() -> None:
    caller = workflow_caller("demo", "report")
    assert caller.owner == "workflow|demo/report"
    assert caller.groups == ("slipway:workflows:demo",)
    with pytest.raises(ValueError, match="API key"):
        Caller.by_key(caller.owner)
