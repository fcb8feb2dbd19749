"""Passwords of namespaces, derived from `slipway-root`: the same after every restart, and never read back."""

import base64
import hmac

ROOT_BYTES = 32
WORKER_PREFIX = "slipway-worker-"
"""How the keys of workers begin, so that one that leaked is found."""


def tenant_password(root: bytes, uid: str, version: int) -> str:
    """Password of a namespace's login, 43 characters of base64url.

    Args:
        root: the 32 bytes of `slipway-root`.
        uid: UID of the namespace: a namespace made again gets another password.
        version: of the login, so that one namespace's password can be rotated alone.
    """
    return _derived(root, f"store/v2/{uid}/{version}")


def worker_key(root: bytes, uid: str, version: int) -> str:
    """Key of a namespace's workers. The arguments are those of `tenant_password`: both are rotated together."""
    return WORKER_PREFIX + _derived(root, f"worker/v1/{uid}/{version}")


def _derived(root: bytes, purpose: str) -> str:
    digest = hmac.digest(root, purpose.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
