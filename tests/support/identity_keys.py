"""The list of identity keys in a host's volume, as the operator writes it."""

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from slipway_crds.identity import KEY
from slipway_operator.installation.identity import anchor_key, keys_config_map, public_half

ANCHOR = anchor_key(bytes(range(32)))


def write_keys(folder: Path, *public_keys: str, anchor: Ed25519PrivateKey = ANCHOR) -> Path:
    """Exchange the file, in one step as a kubelet does. Returns it."""
    file = folder / KEY
    new = file.with_suffix(".new")
    new.write_text(keys_config_map("demo", public_keys, anchor).get("data", {})[KEY])
    os.replace(new, file)
    return file


def host_keys(folder: Path, *public_keys: str) -> dict[str, str]:
    """Environment of a host that accepts these keys."""
    return {
        "SLIPWAY_IDENTITY_ANCHOR": public_half(ANCHOR),
        "SLIPWAY_IDENTITY_KEYS_FILE": str(write_keys(folder, *public_keys)),
    }
