"""The gateway's signing key, derived from the admin secret: a Secret for the gateway, the public half for hosts.

Deriving it means that the operator never has to read a Secret to know the public half.
"""

import base64
import hmac
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from slipway_crds.meta import COMPONENT_LABEL, MANAGED_BY, MANAGED_BY_LABEL
from slipway_operator.kinds import POD, SECRET
from slipway_operator.kube import KubeClient, RawObject
from slipway_operator.manifests import Manifest

SECRET_NAME = "slipway-identity"
KEY = "private.pem"


def identity_key(admin_password: str) -> Ed25519PrivateKey:
    """The same key for the same admin password."""
    seed = hmac.digest(admin_password.encode(), b"identity/v1", "sha256")
    return Ed25519PrivateKey.from_private_bytes(seed)


def public_key(key: Ed25519PrivateKey) -> str:
    """Base64 of the 32 raw bytes, as hosts take it."""
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def identity_secret(key: Ed25519PrivateKey, namespace: str) -> Manifest:
    """What the gateway mounts."""
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return {
        "apiVersion": SECRET.api_version,
        "kind": SECRET.name,
        "metadata": {
            "name": SECRET_NAME,
            "namespace": namespace,
            "labels": {MANAGED_BY_LABEL: MANAGED_BY, COMPONENT_LABEL: "gateway"},
        },
        "type": "Opaque",
        "stringData": {KEY: pem},
    }


async def ensure_identity(kube: KubeClient, key: Ed25519PrivateKey, namespace: str) -> None:
    """Create the Secret unless all gateways are ready, which proves that it is there: idle means no write at all.

    Raises:
        ApiError: if the API server refuses.
    """
    pages = kube.pages(POD, namespace, labels=f"{COMPONENT_LABEL}=gateway")
    pods = [pod async for page, _ in pages for pod in page]
    if not gateways_ready(pods):
        await kube.create(identity_secret(key, namespace))


def gateways_ready(pods: Sequence[RawObject]) -> bool:
    """Whether there is a gateway pod and none waits.

    One ready pod among others proves nothing: when the Secret was deleted to rotate the key, the old pods stay ready
    until the new ones are, and those wait for the Secret. Pods on their way out, or ended, wait for nothing.
    """
    staying = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"] and not _ended(pod)]
    return bool(staying) and all(_ready(pod) for pod in staying)


def _ended(pod: RawObject) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _ready(pod: RawObject) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
