"""The list of keys that hosts accept from gateways: written by the operator, checked by hosts.

Hosts read it from a ConfigMap of their namespace, where whoever may write ConfigMaps could exchange it. So the operator
signs it, with an Ed25519 key of the installation whose public half, the anchor, is in the environment of hosts.
"""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

CONFIG_MAP = "slipway-identity"
"""Name in every namespace with agents."""
KEY = "keys.json"


class IdentityKeys(BaseModel):
    """`keys.json`. Public keys are base64 of 32 raw bytes, and the signature of 64."""

    model_config = ConfigDict(frozen=True)
    keys: Annotated[tuple[str, ...], Field(min_length=1)]
    signature: str


def signed_text(keys: Sequence[str]) -> bytes:
    """What the signature is of."""
    return "\n".join(("slipway identity keys v1", *keys)).encode()
