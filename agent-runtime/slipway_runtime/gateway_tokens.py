"""Tokens that gateways sign for themselves: others carry them and bring them back."""

import time
from collections.abc import Collection
from typing import Any

import jwt

from slipway_runtime.identity import ALGORITHM, CLOCK_SKEW_SECONDS, ISSUER, Caller, Signer

AUDIENCE = "slipway-gateway"


class InvalidGatewayToken(Exception):
    """A token of no worth: forged, expired, or of another kind. The text is safe to show."""


class ExpiredGatewayToken(InvalidGatewayToken):
    """A token that was worth something."""


def sign_token(caller: Caller, claims: dict[str, Any], signer: Signer, *, kind: str, expires: int) -> str:
    """A token for a caller with further claims; `kind` is in its header, so that no kind is taken for another (RFC
    8725, 3.11)."""
    common = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": caller.subject,
        "issuer": caller.issuer,
        "groups": caller.groups,
        "iat": int(time.time()),
        "exp": expires,
    }
    return signer.sign_claims({**common, **claims}, kind=kind)


def read_token(
    token: str,
    signer: Signer,
    *,
    kind: str,
    word: str,
    claims: Collection[str],
    seconds: int,
    expired: bool = False,
) -> tuple[Caller, dict[str, Any]]:
    """For whom a token of this installation's gateways is, and its claims.

    Args:
        kind: what its header must say.
        word: the kind, for people.
        claims: that it must have besides those that all have.
        seconds: the longest time that such a token is good for.
        expired: whether one that has expired is read too.

    Raises:
        InvalidGatewayToken: for anything but a current token of the kind.
    """
    required = ["iss", "aud", "sub", "issuer", "exp", "iat", *claims]
    for key in signer.public_keys():
        try:
            decoded = jwt.decode_complete(
                token,
                key,
                algorithms=[ALGORITHM],  # pinned: the token's own header never chooses
                audience=AUDIENCE,
                issuer=ISSUER,
                leeway=CLOCK_SKEW_SECONDS,
                options={"require": required, "verify_exp": not expired},
            )
        except jwt.InvalidSignatureError:
            continue
        except jwt.ExpiredSignatureError:
            raise ExpiredGatewayToken(f"the {word} has expired") from None
        except (jwt.InvalidTokenError, OverflowError) as error:
            raise InvalidGatewayToken(f"the {word} is not valid: {error}") from error
        if decoded["header"].get("typ") != kind:
            raise InvalidGatewayToken(f"the token is no {word}")
        return _caller(decoded["payload"], word, seconds), decoded["payload"]
    raise InvalidGatewayToken(f"the {word} is not signed by a key of this gateway")


def _caller(claims: dict[str, Any], word: str, seconds: int) -> Caller:
    """Raises InvalidGatewayToken."""
    groups = claims.get("groups", [])
    if not isinstance(claims["issuer"], str) or not isinstance(groups, list):
        raise InvalidGatewayToken(f"the {word} is not valid: its issuer or its groups are no text")
    if not all(isinstance(each, str) for each in groups):
        raise InvalidGatewayToken(f"the {word} is not valid: its groups are no text")
    if int(claims["exp"]) - int(claims["iat"]) > seconds + CLOCK_SKEW_SECONDS:
        raise InvalidGatewayToken(f"the {word} is not valid: it is good for more than {seconds} s")
    try:
        return Caller(claims["issuer"], claims["sub"], tuple(groups))
    except ValueError as error:
        raise InvalidGatewayToken(f"the {word} is not valid: {error}") from error
