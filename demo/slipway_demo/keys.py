"""The API key that the demo asks with: made once, kept in the user's cache, known to the gateway as a hash."""

import hashlib
import secrets

from devcluster.files import write
from slipway_demo import paths

CALLER = "demo"


def demo_key() -> str:
    """The key, made on first use. The file is readable by its owner only."""
    path = paths.state_dir() / "key"
    if not path.is_file():
        write(path, f"slipway-{secrets.token_urlsafe(32)}")
    return path.read_text()


def key_entry(key: str, caller: str = CALLER) -> dict[str, str]:
    """What the chart's `gateway.auth.keys` takes: a name and a hash, never the key."""
    return {"name": caller, "sha256": hashlib.sha256(key.encode()).hexdigest()}
