"""Grants: the right of an agent to ask other agents, for the caller of one of its runs and no longer than that run.

The gateway signs a grant when it starts a run and accepts it back as a credential; hosts only carry it. A grant says
for whom, by which agent, in which run and how deep agents have called each other. Whom the agent may ask is not in it:
the gateway knows that of the agent now.
"""

import hashlib
import time
from dataclasses import dataclass, replace

import jwt
import orjson

from slipway_runtime.gateway_tokens import ExpiredGatewayToken, InvalidGatewayToken, read_token, sign_token
from slipway_runtime.identity import Caller, Signer

TOKEN_TYPE = "slipway-grant+jwt"
"""In the token's header: a grant is no identity, and an identity no grant (RFC 8725, 3.11)."""
MAX_DEPTH = 5
"""Agents that may have called each other, one within the other."""
MAX_SECONDS = 1800
RENEWED_WITHIN_SECONDS = 8 * 86_400
"""So long after it was signed a grant may be renewed: approvals are waited for a week at most."""


@dataclass(frozen=True)
class Grant:
    """What a token says."""

    caller: Caller
    """For whom the agent asks."""
    actor: str
    """`namespace/name` of the agent that asks."""
    run: str
    """The run in which it asks."""
    depth: int
    """1 for an agent that a person asked, one more for each agent in between."""
    expires: int
    """Seconds since 1970."""

    def nested(self, *, actor: str, run: str, seconds: float) -> "Grant | None":
        """The grant of a run that this one starts; None where agents have called each other deep enough."""
        if self.depth >= MAX_DEPTH:
            return None
        fresh = first(self.caller, actor=actor, run=run, seconds=seconds)
        return replace(fresh, depth=self.depth + 1, expires=min(fresh.expires, self.expires))


def first(caller: Caller, *, actor: str, run: str, seconds: float) -> Grant:
    """The grant of a run that a person or a program started; `seconds` is how long the run may take."""
    return Grant(caller, actor, run, depth=1, expires=int(time.time() + min(seconds, MAX_SECONDS)))


class InvalidGrant(Exception):
    """A grant that gives no right: forged, expired, or not a grant. The text is safe to show."""


def named_run(*, owner: str, agent: str, key: str, within: str | None = None, input: bool = False) -> str:  # noqa: A002
    """The id of a run, or of an input, that has a key.

    Args:
        owner: who asks.
        agent: `namespace/name` of the one that is asked.
        within: the run in which an agent asks; its keys are apart from those of all others.
    """
    named = [owner, agent, int(input), key, *([within] if within else [])]
    return hashlib.sha256(orjson.dumps(named)).hexdigest()[:32]


def session_named(*, owner: str, agent: str, skin: str, id: str) -> str:  # noqa: A002
    """The id of the session that stands for a conversation whose id a client chose.

    Args:
        skin: the protocol; its conversations are apart from those of all others.
    """
    return hashlib.sha256(orjson.dumps(["session", owner, agent, skin, id])).hexdigest()[:32]


def is_grant(token: str) -> bool:
    """Whether a credential claims to be a grant, of whatever worth."""
    try:
        return jwt.get_unverified_header(token).get("typ") == TOKEN_TYPE
    except jwt.InvalidTokenError:
        return False


def sign(grant: Grant, signer: Signer) -> str:
    """The grant as a token."""
    claims = {"act": {"sub": grant.actor}, "run": grant.run, "depth": grant.depth}
    return sign_token(grant.caller, claims, signer, kind=TOKEN_TYPE, expires=grant.expires)


def verify(token: str, signer: Signer) -> Grant:
    """What a token of this installation's gateways grants.

    Raises:
        InvalidGrant: for anything but a current grant.
    """
    return _read(token, signer)[0]


def renewed(token: str, signer: Signer, *, run: str, actor: str, seconds: float) -> Grant:
    """A new grant for what a token granted, though it may have expired: its run waited for a person, who decided.

    Raises:
        InvalidGrant: if it is not a grant of this run of this agent.
    """
    grant, issued = _read(token, signer, expired=True)
    if (grant.run, grant.actor) != (run, actor):
        raise InvalidGrant("the grant is of another run")
    if time.time() - issued > RENEWED_WITHIN_SECONDS:
        raise InvalidGrant("the grant is too old to be renewed")
    return replace(grant, expires=first(grant.caller, actor=actor, run=run, seconds=seconds).expires)


def _read(token: str, signer: Signer, *, expired: bool = False) -> tuple[Grant, int]:
    """A grant, and when it was signed. Raises InvalidGrant."""
    needed = ("act", "run", "depth")
    try:
        caller, claims = read_token(
            token, signer, kind=TOKEN_TYPE, word="grant", claims=needed, seconds=MAX_SECONDS, expired=expired
        )
    except ExpiredGatewayToken as error:
        raise InvalidGrant(f"{error}: what is left of its run must be asked anew") from None
    except InvalidGatewayToken as error:
        raise InvalidGrant(str(error)) from error
    actor = claims["act"].get("sub") if isinstance(claims["act"], dict) else None
    run, depth = claims["run"], claims["depth"]
    if not isinstance(actor, str) or not isinstance(run, str) or type(depth) is not int or not 1 <= depth <= MAX_DEPTH:
        raise InvalidGrant("the grant is not valid: its claims are not those of a grant")
    return Grant(caller, actor, run, depth, int(claims["exp"])), int(claims["iat"])
