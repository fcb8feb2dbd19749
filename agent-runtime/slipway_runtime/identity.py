"""The caller's identity, as the gateway vouches for it to hosts.

Not every network plugin enforces NetworkPolicies, so a host cannot trust whoever reaches its port. It trusts one thing:
a token of sixty seconds, signed by the gateway with Ed25519, made for exactly one agent. The gateway alone holds the
private key; hosts get the public one, so that a host that was broken into cannot speak for a caller elsewhere.
"""

import base64
import binascii
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

HEADER = "X-Slipway-Identity"
ISSUER = "slipway-gateway"
LIFETIME_SECONDS = 60
MAX_AGE_SECONDS = 300
"""A token is refused so long after it was issued, whatever it says about its end."""
CLOCK_SKEW_SECONDS = 10
REUSED_SECONDS = 10
"""How long a token is given out again for the same caller and agent: to sign and to verify cost more than the rest of a
short request."""
TOKENS_KEPT = 4096
"""Tokens that a process remembers; one too many, and it begins anew."""
TOKEN_TYPE = "slipway-identity+jwt"
"""In the token's header, so that nothing else that the key signs is taken for an identity (RFC 8725, 3.11)."""
ALGORITHM = "EdDSA"


class InvalidIdentity(Exception):
    """A token that proves nothing: forged, expired, for another agent, or not a token. The text is safe to show."""


class InvalidKey(Exception):
    """A key file or setting that does not hold an Ed25519 key; the text says what it must hold."""


API_KEYS = "api-keys"
"""The issuer of callers that hold an API key."""
SEPARATOR = "|"
MAX_GROUPS = 200
"""Groups of one caller, which go to hosts in a header with every request."""


@dataclass(frozen=True)
class Caller:
    """Who asks, as the gateway verified it.

    Args:
        issuer: who vouches for the subject, for example the URL of an identity provider.
        subject: a name that is the issuer's own; two issuers may use the same.
        groups: the caller's groups, as the issuer names them.

    Raises:
        ValueError: if two callers could have the same `owner`.
    """

    issuer: str
    subject: str
    groups: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.issuer or SEPARATOR in self.issuer:
            raise ValueError(f"an issuer must not be empty or contain {SEPARATOR}")
        if not self.subject or (self.issuer == API_KEYS and SEPARATOR in self.subject):
            raise ValueError(f"a subject must not be empty, and the name of an API key must not contain {SEPARATOR}")

    @classmethod
    def by_key(cls, name: str, *, groups: tuple[str, ...] = ()) -> Self:
        """The caller that holds the API key of this name."""
        return cls(API_KEYS, name, groups)

    @property
    def owner(self) -> str:
        """What belongs to the caller in the store is under this name: `issuer|subject`, of an API key its bare name."""
        return self.subject if self.issuer == API_KEYS else f"{self.issuer}{SEPARATOR}{self.subject}"


ANONYMOUS = Caller("open", "anonymous")
"""Everybody, where the gateway asks for no key."""


GATEWAY = Caller("slipway", "gateway")
"""The gateway itself, where it asks for nobody. No provider of identities has this issuer: theirs are URLs."""


class Signer(Protocol):
    """Signs callers' identities."""

    def sign(self, caller: Caller, audience: str) -> str:
        """A token for one caller and one agent (`namespace/name`), good for sixty seconds from now."""
        ...

    def sign_with_former_key(self, caller: Caller, audience: str) -> str | None:
        """The same with the key that this one replaced, for hosts that do not know the new one yet; None if none."""
        ...

    def sign_claims(self, claims: Mapping[str, Any], *, kind: str) -> str:
        """A token of another kind than an identity, which its header names."""
        ...

    def public_keys(self) -> tuple[Ed25519PublicKey, ...]:
        """Of the key in force and of the one before it, where that is known."""
        ...

    def secrets(self, purpose: str) -> tuple[bytes, ...]:
        """32 bytes from the key in force, and from the one before it where that is known: the same in every gateway."""
        ...


class Verifier(Protocol):
    """Checks callers' identities."""

    def verify(self, token: str, audience: str) -> Caller:
        """Who the gateway says is asking this agent (`namespace/name`).

        Raises:
            InvalidIdentity: for anything but a current token by the gateway for this agent.
        """
        ...


class IdentitySigner:
    """Signs with one key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self._secrets: dict[str, bytes] = {}
        self._signed: dict[tuple[Caller, str], tuple[int, str]] = {}

    @classmethod
    def from_pem(cls, pem: bytes) -> Self:
        """Read a PKCS#8 private key, as the Secret `slipway-identity` holds it.

        Raises:
            InvalidKey: if it is not an unencrypted Ed25519 key.
        """
        try:
            key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise InvalidKey(f"the identity key is not an unencrypted PEM private key: {error}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise InvalidKey(f"the identity key must be an Ed25519 key, not {type(key).__name__}")
        return cls(key)

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """Make the key from its 32-byte seed.

        Raises:
            InvalidKey: if there are not 32 bytes.
        """
        try:
            return cls(Ed25519PrivateKey.from_private_bytes(seed))
        except ValueError as error:
            raise InvalidKey(f"an Ed25519 seed has 32 bytes, not {len(seed)}") from error

    @classmethod
    def generate(cls) -> Self:
        """Make a key for this process alone."""
        return cls(Ed25519PrivateKey.generate())

    @property
    def public_key(self) -> str:
        """Base64 of the 32 raw bytes, as hosts take it."""
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return base64.b64encode(raw).decode()

    def sign(self, caller: Caller, audience: str) -> str:
        """A token for one caller and one agent (`namespace/name`), good for fifty seconds from now at least."""
        now = int(time.time())
        since, token = self._signed.get((caller, audience), (0, ""))
        if not 0 <= now - since < REUSED_SECONDS:
            token = self._new_token(caller, audience, now)
            if len(self._signed) >= TOKENS_KEPT:
                self._signed.clear()
            self._signed[caller, audience] = now, token
        return token

    def _new_token(self, caller: Caller, audience: str, now: int) -> str:
        claims = {
            "iss": ISSUER,
            "aud": audience,
            "sub": caller.subject,
            "issuer": caller.issuer,
            "groups": caller.groups,
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
        }
        return self.sign_claims(claims, kind=TOKEN_TYPE)

    def sign_with_former_key(self, caller: Caller, audience: str) -> str | None:
        """There is none."""
        return None

    def sign_claims(self, claims: Mapping[str, Any], *, kind: str) -> str:
        """As `Signer` says."""
        return jwt.encode(dict(claims), self._key, algorithm=ALGORITHM, headers={"typ": kind})

    def public_keys(self) -> tuple[Ed25519PublicKey, ...]:
        """The one."""
        return (self._key.public_key(),)

    def secrets(self, purpose: str) -> tuple[bytes, ...]:
        """As `Signer` says."""
        if purpose not in self._secrets:
            derive = HKDF(SHA256(), length=32, salt=None, info=purpose.encode())
            self._secrets[purpose] = derive.derive(self._key.private_bytes_raw())
        return (self._secrets[purpose],)


def read_public_key(text: str) -> Ed25519PublicKey:
    """A public key from the base64 of its 32 raw bytes.

    Raises:
        InvalidKey: if it is something else.
    """
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError) as error:
        raise InvalidKey(f"the identity's public key must be the base64 of 32 bytes: {error}") from error


class _Verified(NamedTuple):
    """A token whose signature was checked before."""

    caller: Caller
    issued: int
    expires: int

    def is_current(self, now: float) -> bool:
        """Whether it is still what a token must be: see `_decode`."""
        in_time = self.issued - CLOCK_SKEW_SECONDS <= now < self.expires + CLOCK_SKEW_SECONDS
        return in_time and now - self.issued <= MAX_AGE_SECONDS


class IdentityVerifier:
    """Checks tokens against the gateway's public keys: one, or during a rotation the old one and the new one.

    Raises:
        InvalidKey: if one is not the base64 of 32 raw bytes.
    """

    def __init__(self, public_keys: Iterable[str]) -> None:
        self._keys = tuple(read_public_key(each) for each in public_keys)
        self._verified: dict[tuple[str, str], _Verified] = {}

    def verify(self, token: str, audience: str) -> Caller:
        """Who the gateway says is asking this agent (`namespace/name`).

        Raises:
            InvalidIdentity: for anything but a current token by the gateway for this agent.
        """
        known = self._verified.get((token, audience))
        if known is not None and known.is_current(time.time()):
            return known.caller
        claims = self._claims(token, audience)
        caller = _caller(claims)
        if len(self._verified) >= TOKENS_KEPT:
            self._verified.clear()
        self._verified[token, audience] = _Verified(caller, int(claims["iat"]), int(claims["exp"]))
        return caller

    def _claims(self, token: str, audience: str) -> dict[str, Any]:
        for key in self._keys:
            try:
                return _decode(token, key, audience)
            except jwt.InvalidSignatureError:
                continue
            except (jwt.InvalidTokenError, OverflowError) as error:
                raise InvalidIdentity(f"the identity token is not valid: {error}") from error
        raise InvalidIdentity("the identity token is not signed by a key of the gateway that this agent knows")


def _caller(claims: dict[str, Any]) -> Caller:
    """Who the token is about. Raises InvalidIdentity."""
    issuer, subject, groups = claims["issuer"], claims["sub"], claims.get("groups", [])
    if not isinstance(issuer, str) or not isinstance(groups, list) or not all(isinstance(each, str) for each in groups):
        raise InvalidIdentity("the identity token is not valid: its issuer or its groups are no text")
    try:
        return Caller(issuer, subject, tuple(groups))
    except ValueError as error:
        raise InvalidIdentity(f"the identity token is not valid: {error}") from error


def _decode(token: str, key: Ed25519PublicKey, audience: str) -> dict[str, Any]:
    decoded = jwt.decode_complete(
        token,
        key,
        algorithms=[ALGORITHM],  # pinned: the token's own header never chooses
        audience=audience,
        issuer=ISSUER,
        leeway=CLOCK_SKEW_SECONDS,
        options={"require": ["iss", "aud", "sub", "issuer", "exp", "iat"]},
    )
    if decoded["header"].get("typ") != TOKEN_TYPE:
        raise jwt.InvalidTokenError(f"its type is not {TOKEN_TYPE}")
    claims: dict[str, Any] = decoded["payload"]
    # PyJWT looks at an `iat` in the future and not at an old one: a wrong `exp` would make a token for ever.
    if time.time() - int(claims["iat"]) > MAX_AGE_SECONDS:
        raise jwt.ExpiredSignatureError(f"it was issued more than {MAX_AGE_SECONDS} s ago")
    return claims
