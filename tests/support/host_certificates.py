"""Certificates of hosts as the operator makes them, in folders as the kubelet shows them."""

import base64
from datetime import UTC, datetime
from pathlib import Path

from slipway_operator.installation.certificates import HostAuthority, host_authority, host_certificate

AUTHORITY = host_authority(bytes(32))
OTHER = host_authority(bytes(31) + b"1")


def put_certificate(folder: Path, namespace: str, *, authority: HostAuthority = AUTHORITY) -> Path:
    """Make a new certificate for the namespace the folder's: each file at once."""
    folder.mkdir(exist_ok=True)
    for name, value in sorted(host_certificate(authority, namespace, now=datetime.now(UTC)).items(), reverse=True):
        draft = folder / f".{name}"
        draft.write_bytes(base64.b64decode(value))
        draft.replace(folder / name)
    return folder


def put_authorities(file: Path, *authorities: HostAuthority) -> Path:
    """Make these the ones that a gateway trusts."""
    draft = file.with_suffix(".draft")
    draft.write_text("".join(each.pem for each in authorities))
    draft.replace(file)
    return file
