"""Passwords of namespaces, derived from `slipway-root`: the same after every restart, and never read back."""

import base64
import hmac

ROOT_BYTES = 32


def tenant_password(root: bytes, uid: str, version: int) -> str:
    """Password of a namespace's login, 43 characters of base64url.

    Args:
        root: the 32 bytes of `slipway-root`.
        uid: UID of the namespace: a namespace made again gets another password.
        version: of the login, so that one namespace's password can be rotated alone.
    """
    digest = hmac.digest(root, f"store/v2/{uid}/{version}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
