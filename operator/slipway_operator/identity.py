"""The gateway's signing key: a Secret for the gateway, and the public half for hosts."""

import base64
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from slipway_operator.kube import KubeClient
from slipway_operator.roots import MadeSecret, UselessRootError

SECRET_NAME = "slipway-identity"
KEY = "private.pem"


def identity_secret(kube: KubeClient, *, namespace: str, folder: Path) -> MadeSecret:
    """`slipway-identity`: what the gateway vouches for callers with."""
    return MadeSecret(
        kube,
        namespace=namespace,
        name=SECRET_NAME,
        component="gateway",
        file=folder / KEY,
        generate=generate_key,
    )


def generate_key() -> Mapping[str, bytes]:
    """A new key, as the Secret holds it."""
    return {KEY: Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())}


def public_key(pem: bytes) -> str:
    """The public half, base64 of its 32 raw bytes, as hosts take it.

    Raises:
        UselessRootError: if it is not an Ed25519 key.
    """
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise UselessRootError(
            f"Secret {SECRET_NAME} must hold an unencrypted Ed25519 private key as PEM under the key {KEY}: restore it "
            "from your backup, or delete it, and the operator makes a new one"
        )
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()
