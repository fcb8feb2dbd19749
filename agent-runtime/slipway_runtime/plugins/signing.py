"""Signatures of what a plugin is made of, as `cosign sign-blob --key` makes them. They are verified offline.

A signature is the base64 of a DER-encoded ECDSA P-256 signature over SHA-256, or of a pure Ed25519 signature, as
openssl makes it. A bundle of cosign (`--bundle`) is accepted too; only the signature in it counts, and no transparency
log is asked. cosign signs with Ed25519 in its prehashed form (Ed25519ph), which is not supported: use ECDSA P-256, the
default of `cosign generate-key-pair`.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import orjson
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from slipway_crds import contract

LARGEST_SIGNATURE = 64 * 1024
"""Characters of a signature or a bundle."""
IMAGE_TYPE = "cosign container image signature"

PublicKey = EllipticCurvePublicKey | Ed25519PublicKey


class SignatureReason(StrEnum):
    """The stable word for why something is not run."""

    DIGEST_MISMATCH = contract.DIGEST_MISMATCH
    SIGNATURE_MISSING = "SignatureMissing"
    SIGNATURE_INVALID = contract.SIGNATURE_INVALID
    KEY_EXPIRED = contract.KEY_EXPIRED
    KEY_INVALID = contract.KEY_INVALID


class SignatureRefused(Exception):
    """What was to run must not. The text says what is so and what to do; `reason` is for conditions."""

    def __init__(self, reason: SignatureReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class TrustedKey:
    """A public key whose signatures count, until it expires."""

    pem: str
    expires: datetime | None = None
    """From then on what it signed is refused. With a time zone."""


@dataclass(frozen=True)
class KeyPair:
    """A new ECDSA P-256 key, as PEM: PKCS#8 and SubjectPublicKeyInfo."""

    private: bytes
    public: bytes


def digest_of(content: bytes) -> str:
    """`sha256:` and 64 hexadecimal digits, as manifests pin content by."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def check_digest(content: bytes, pinned: str) -> None:
    """Raises SignatureRefused: `DigestMismatch`, if content is not what was pinned."""
    found = digest_of(content)
    if found != pinned:
        raise SignatureRefused(
            SignatureReason.DIGEST_MISMATCH,
            f"the content has the digest {found}, not {pinned}: it was changed. If you trust it, pin the new digest "
            "and sign it again",
        )


def verify(content: bytes, signature: str, keys: Sequence[TrustedKey], *, now: datetime | None = None) -> TrustedKey:
    """The key that signed this content.

    Args:
        signature: the base64 of it, or a bundle of cosign as JSON.
        now: the present if not given.

    Raises:
        SignatureRefused: if no key that is trusted now signed it, or a key cannot be read.
    """
    now = now or datetime.now(UTC)
    if not signature.strip():
        raise SignatureRefused(
            SignatureReason.SIGNATURE_MISSING,
            "there is no signature: sign the content with `slipway plugin sign` or `cosign sign-blob`",
        )
    raw = _raw_signature(signature)
    public = [(each, read_public_key(each.pem)) for each in keys]
    signers = [each for each, key in public if _signed(key, raw, content)]
    for each in signers:
        if each.expires is None or now < each.expires:
            return each
    if signers:
        expired = max(each.expires for each in signers if each.expires)
        raise SignatureRefused(
            SignatureReason.KEY_EXPIRED,
            f"the key that signed it expired at {expired.isoformat()}: sign the content with a key that is still "
            "trusted, or give this one a later end",
        )
    names = ", ".join(fingerprint(key) for _, key in public) or "none"
    raise SignatureRefused(
        SignatureReason.SIGNATURE_INVALID,
        f"no trusted key ({names}) made this signature of this content: the content was changed after it was signed, "
        "or it was signed with another key. Compare the digest, or add the key if you trust it",
    )


def sign(content: bytes, private_key: bytes, *, password: bytes | None = None) -> str:
    """The signature of some content, in base64.

    Args:
        private_key: PEM (PKCS#8) of an ECDSA P-256 or Ed25519 key.

    Raises:
        SignatureRefused: `KeyInvalid`, if the key cannot be read or is of another sort.
    """
    key = _private_key(private_key, password)
    if isinstance(key, Ed25519PrivateKey):
        return base64.b64encode(key.sign(content)).decode()
    return base64.b64encode(key.sign(content, ECDSA(SHA256()))).decode()


def public_key_of(private_key: bytes, *, password: bytes | None = None) -> str:
    """The PEM of the public key that verifies what a private key signs. Raises SignatureRefused."""
    public = _private_key(private_key, password).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def new_key_pair(*, password: bytes | None = None) -> KeyPair:
    """Make a key; its private half is encrypted if there is a password."""
    key = generate_private_key(SECP256R1())
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return KeyPair(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption),
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    )


def read_public_key(pem: str) -> PublicKey:
    """A public key from PEM.

    Raises:
        SignatureRefused: `KeyInvalid`, if it is none of ECDSA P-256 or Ed25519.
    """
    try:
        key = load_pem_public_key(pem.strip().encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _invalid_key(
            "a trusted key is no PEM public key: it begins with -----BEGIN PUBLIC KEY-----, as in cosign.pub"
        ) from error
    if isinstance(key, Ed25519PublicKey):
        return key
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return key
    raise _invalid_key("a trusted key must be of ECDSA P-256, as cosign makes it, or Ed25519")


def fingerprint(key: PublicKey) -> str:
    """The first 16 digits of the SHA-256 of the key, by which people tell keys apart."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()[:16]


def image_payload(repository: str, digest: str) -> bytes:
    """What is signed of an image, as `cosign generate REPOSITORY@DIGEST` prints it.

    Args:
        repository: with its registry, without tag and digest.
    """
    critical = {
        "identity": {"docker-reference": repository},
        "image": {"docker-manifest-digest": digest},
        "type": IMAGE_TYPE,
    }
    return orjson.dumps({"critical": critical, "optional": None})


def _private_key(pem: bytes, password: bytes | None) -> EllipticCurvePrivateKey | Ed25519PrivateKey:
    """Raises SignatureRefused: `KeyInvalid`."""
    if b"SIGSTORE PRIVATE KEY" in pem or b"COSIGN PRIVATE KEY" in pem:
        raise _invalid_key("this is a private key of cosign: sign with `cosign sign-blob --key`, which reads it")
    try:
        key = load_pem_private_key(pem, password=password)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _invalid_key(
            f"the private key cannot be read ({error}): give a PKCS#8 PEM file, and its password"
        ) from error
    if isinstance(key, Ed25519PrivateKey):
        return key
    if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
        return key
    raise _invalid_key("the private key must be of ECDSA P-256 or Ed25519")


def _signed(key: PublicKey, signature: bytes, content: bytes) -> bool:
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, content)
        else:
            key.verify(signature, content, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _raw_signature(text: str) -> bytes:
    """The bytes of a signature. Raises SignatureRefused."""
    text = text.strip()
    if len(text) > LARGEST_SIGNATURE:
        raise _invalid_signature(f"it has more than {LARGEST_SIGNATURE} characters")
    if text.startswith("{"):
        text = _of_bundle(text)
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise _invalid_signature("it is not base64") from None


def _of_bundle(text: str) -> str:
    """The signature in a bundle, in the format of sigstore or cosign's own before it. Raises SignatureRefused."""
    try:
        bundle = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise _invalid_signature("it begins like a bundle of cosign and is not JSON") from None
    message = bundle.get("messageSignature")
    found = message.get("signature") if isinstance(message, dict) else bundle.get("base64Signature")
    if not isinstance(found, str):
        raise _invalid_signature("the bundle has no signature of a file: make it with `cosign sign-blob --bundle`")
    return found


def _invalid_signature(what: str) -> SignatureRefused:
    return SignatureRefused(
        SignatureReason.SIGNATURE_INVALID, f"the signature cannot be read: {what}. Write what `cosign sign-blob` prints"
    )


def _invalid_key(what: str) -> SignatureRefused:
    return SignatureRefused(SignatureReason.KEY_INVALID, what)
