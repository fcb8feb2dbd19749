"""The gateway's signing key: a Secret for the gateway, and the public half in a signed list for hosts.

The list is signed by the anchor, a key that is derived from `slipway-root` and so the same after every restart. Its
public half is in the environment of hosts: only the list changes when the gateway's key is rotated, and no pod rolls.
"""

import base64
import hmac
from collections.abc import Iterable, Mapping
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from slipway_crds.identity import CONFIG_MAP as CONFIG_MAP_NAME
from slipway_crds.identity import KEY as LIST_KEY
from slipway_crds.identity import IdentityKeys, signed_text
from slipway_crds.meta import COMPONENT_LABEL
from slipway_operator.core.kube import KubeClient
from slipway_operator.core.manifests import Manifest
from slipway_operator.core.objects import CONFIG_MAP
from slipway_operator.installation.roots import MadeSecret, UselessRootError

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
    return public_half(key)


def public_half(key: Ed25519PrivateKey) -> str:
    """Base64 of its 32 raw bytes."""
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def anchor_key(root: bytes) -> Ed25519PrivateKey:
    """What the operator of this installation signs lists with."""
    return Ed25519PrivateKey.from_private_bytes(hmac.digest(root, b"identity-anchor/v1", "sha256"))


def keys_config_map(namespace: str, keys: Iterable[str], anchor: Ed25519PrivateKey) -> Manifest:
    """What hosts of the namespace mount. It has no owner: it serves every agent there.

    Ed25519 signs the same text the same way, so that the same keys are the same object.
    """
    listed = tuple(sorted(keys))
    signature = base64.b64encode(anchor.sign(signed_text(listed))).decode()
    return {
        "apiVersion": CONFIG_MAP.api_version,
        "kind": CONFIG_MAP.name,
        "metadata": {"name": CONFIG_MAP_NAME, "namespace": namespace, "labels": {COMPONENT_LABEL: "identity"}},
        "data": {LIST_KEY: IdentityKeys(keys=listed, signature=signature).model_dump_json()},
    }
