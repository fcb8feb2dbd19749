"""Callers with a token of an OpenID Connect provider.

What a token says counts only after its signature was checked with a key of the provider's own document. The token names
neither the algorithms that are taken nor where keys are (RFC 8725): `jwk`, `jku` and `x5u` in its header are not read.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt

from slipway_runtime.gateway.auth import bearer
from slipway_runtime.gateway.callers import Headers, Unproven, groups_problem
from slipway_runtime.gateway.signing_keys import KINDS, SigningKeys, Unavailable
from slipway_runtime.identity import Caller
from slipway_runtime.problems import Problem, Reason

log = logging.getLogger(__name__)

CLOCK_SKEW_SECONDS = 30
TYPES = frozenset({"", "jwt", "at+jwt", "application/at+jwt"})
"""Of tokens that stand for a caller. A provider signs others with the same keys, for example for logging out."""
SUBJECT_CHARACTERS = 255
INVALID_TOKEN = "invalid token"
"""For the metric and the log."""


@dataclass(frozen=True)
class TrustedProvider:
    """Whose tokens are taken, and how they are read.

    Args:
        issuer: the provider's URL, as its tokens have it in `iss`.
        audiences: a token is for the gateway if `aud` has one of them.
        resource: the gateway's own URL. A token for it, or for a path below it, is for the gateway too.
        username_claim: what becomes the caller's subject.
        groups_claim: what becomes the caller's groups; a path with dots leads into objects.
    """

    issuer: str
    audiences: tuple[str, ...]
    resource: str = ""
    username_claim: str = "sub"
    groups_claim: str = "groups"


@dataclass(frozen=True)
class _Claimed:
    """What a token says of itself, of which nothing is proven."""

    issuer: object
    kid: str | None
    algorithm: str


class _Refused(Exception):
    """The token proves nothing; the text may be shown to its sender."""


class Oidc:
    """Lets in who brings a token of the provider."""

    def __init__(self, provider: TrustedProvider, keys: SigningKeys) -> None:
        self._provider = provider
        self._keys = keys
        self._remedy = f"send a token of {provider.issuer} for this gateway as 'Authorization: Bearer TOKEN'"

    async def caller(self, headers: Headers) -> Caller | Unproven:
        token = bearer(headers)
        if token.count(".") != 2:
            return Unproven(presented=False, finding="there is no token of an identity provider", remedy=self._remedy)
        try:
            return caller_of(self._provider, await self._claims(token))
        except _Refused as error:
            return Unproven(presented=True, finding=str(error), remedy=self._remedy, refused=INVALID_TOKEN)

    def missing(self) -> str | None:
        """Nothing: callers with API keys do not depend on the provider."""
        return None

    async def _claims(self, token: str) -> Mapping[str, Any]:
        claimed = _claimed(token)
        if claimed.issuer != self._provider.issuer:
            raise _Refused(f"the token is not one of {self._provider.issuer}")
        try:
            key = await self._keys.find(claimed.kid, claimed.algorithm)
        except Unavailable as error:
            raise Problem(
                Reason.IDENTITY_UNAVAILABLE,
                "the identity provider cannot be asked for its keys: ask again, or use an API key",
            ) from error
        if key is None:
            raise _Refused("the token is not signed with a key of the provider")
        return self._verified(token, key)

    def _verified(self, token: str, key: jwt.PyJWK) -> Mapping[str, Any]:
        try:
            claims: Mapping[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(KINDS),
                issuer=self._provider.issuer,
                leeway=CLOCK_SKEW_SECONDS,
                options={
                    "require": ["iss", "aud", "exp", self._provider.username_claim],
                    "verify_aud": False,  # see below: a resource has paths
                    "verify_sub": False,
                    "enforce_minimum_key_length": True,
                },
            )
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise _Refused(f"the token is not valid: {error}") from error
        if not is_for(self._provider, claims["aud"]):
            raise _Refused("the token is for somebody else: its audience is not this gateway")
        return claims


def is_for(provider: TrustedProvider, audience: object) -> bool:
    """Whether a token with this `aud` is for the gateway."""
    named = audience if isinstance(audience, list) else [audience]
    own = provider.resource.rstrip("/")
    return any(
        each in provider.audiences or (own and (each.rstrip("/") == own or each.startswith(own + "/")))
        for each in named
        if isinstance(each, str) and each
    )


def caller_of(provider: TrustedProvider, claims: Mapping[str, Any]) -> Caller:
    """Who verified claims are about. Raises _Refused."""
    subject = claims.get(provider.username_claim)
    if not isinstance(subject, str) or not subject.isprintable() or not 0 < len(subject) <= SUBJECT_CHARACTERS:
        raise _Refused(
            f"the token's claim {provider.username_claim} is no name of 1 to {SUBJECT_CHARACTERS} characters"
        )
    if provider.username_claim == "email" and claims.get("email_verified", True) is not True:
        raise _Refused("the token's e-mail address is not verified")
    groups = _groups(provider, claims)
    if problem := groups_problem(groups):
        raise _Refused(f"the token's claim {provider.groups_claim} {problem}")
    return Caller(provider.issuer, subject, tuple(groups))


def _groups(provider: TrustedProvider, claims: Mapping[str, Any]) -> Sequence[str]:
    found: object = claims.get(provider.groups_claim)
    if provider.groups_claim not in claims:
        found = claims
        for part in provider.groups_claim.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    if found is None:
        return ()
    named = found if isinstance(found, list) else [found]
    groups = [each for each in named if isinstance(each, str) and each]
    if len(groups) < len(named):
        raise _Refused(f"the token's claim {provider.groups_claim} is no list of names")
    return groups


def _claimed(token: str) -> _Claimed:
    """What is read before a signature is checked: only what finds the key. Raises _Refused."""
    try:
        whole = jwt.decode_complete(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise _Refused(f"the token is not valid: {error}") from error
    header = whole["header"]
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", "")
    if not isinstance(algorithm, str) or algorithm not in KINDS:
        raise _Refused(f"the token is not valid: its algorithm is none of {', '.join(KINDS)}")
    if not isinstance(kind, str) or kind.lower() not in TYPES:
        raise _Refused("the token is not valid: its type is not JWT or at+jwt")
    return _Claimed(whole["payload"].get("iss"), kid, algorithm)
