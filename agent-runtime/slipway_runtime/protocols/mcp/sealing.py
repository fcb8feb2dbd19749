"""What clients keep for the gateway: sealed, so that any replica reads it and nobody else does.

Sessions, ids of events and ids of requests to clients are not kept anywhere else. Each is bound to what it is and to
its caller: a stolen one opens for nobody.
"""

import base64
import binascii
import os
from collections.abc import Callable, Sequence
from typing import Any, Literal

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from slipway_runtime.identity import Caller

Kind = Literal["session", "event", "request", "state"]
NONCE_BYTES = 12
LONGEST = 64 * 1024
PURPOSE = "slipway mcp seal"


class NotSealed(Exception):
    """A text that was not sealed here, or for another caller or purpose."""


class Sealer:
    """Seals and opens.

    Args:
        keys: 32 bytes each, that in force first. All of them open.
    """

    def __init__(self, keys: Callable[[], Sequence[bytes]]) -> None:
        self._keys = keys

    def seal(self, kind: Kind, content: Any, *, caller: Caller, place: str) -> str:
        """A text of visible ASCII characters that only `open` reads.

        Args:
            content: what JSON can say.
            place: the server that it is for.
        """
        nonce = os.urandom(NONCE_BYTES)
        sealed = AESGCM(self._keys()[0]).encrypt(nonce, orjson.dumps(content), _bound(kind, caller, place))
        return base64.urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode()

    def open(self, kind: Kind, text: str, *, caller: Caller, place: str) -> Any:
        """What was sealed.

        Raises:
            NotSealed: for any other text.
        """
        if len(text) > LONGEST:
            raise NotSealed
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise NotSealed from None
        for key in self._keys():
            try:
                return orjson.loads(
                    AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _bound(kind, caller, place))
                )
            except (InvalidTag, ValueError):
                continue
        raise NotSealed


def _bound(kind: Kind, caller: Caller, place: str) -> bytes:
    return orjson.dumps([kind, caller.issuer, caller.subject, place])
