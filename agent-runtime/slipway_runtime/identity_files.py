"""Identity keys in mounted files, which are read again when they change: a rotation restarts neither gateway nor host.

Hosts learn of a new key before a gateway signs with it, as far as the operator can time that. A kubelet that is slow
turns the order round, so the gateway keeps the key before and uses it where a host refuses the new one.
"""

import base64
import binascii
import logging
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import ValidationError

from slipway_crds.identity import IdentityKeys, signed_text
from slipway_runtime.identity import Caller, IdentitySigner, IdentityVerifier, InvalidKey, read_public_key

log = logging.getLogger(__name__)

CHECK_SECONDS = 1.0
"""How often at most a file is looked at for a change."""


class ChangingFile:
    """Notices when a file has another content. A volume that is missing for a while is no change."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._clock = clock
        self._checked = float("-inf")
        self._version: tuple[int, int, int] | None = None

    def changed(self) -> bool:
        """Whether it is another file than at the last call that returned true. Looks once a second at most."""
        now = self._clock()
        if now - self._checked < CHECK_SECONDS:
            return False
        self._checked = now
        try:
            status = os.stat(self.path)
        except OSError:
            return False
        version = (status.st_mtime_ns, status.st_ino, status.st_size)
        if version == self._version:
            return False
        self._version = version
        return True


class SignerFile:
    """Signs with the key in a PEM file, and remembers the one before.

    Raises:
        OSError, InvalidKey: if there is no Ed25519 key at the start. Later a useless file leaves the key in force.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = ChangingFile(path, clock=clock)
        self._file.changed()
        self._current = IdentitySigner.from_pem(path.read_bytes())
        self._former: IdentitySigner | None = None

    def sign(self, caller: Caller, audience: str) -> str:
        """As `Signer` says."""
        self._refresh()
        return self._current.sign(caller, audience)

    def sign_with_former_key(self, caller: Caller, audience: str) -> str | None:
        """As `Signer` says."""
        return self._former.sign(caller, audience) if self._former is not None else None

    def sign_claims(self, claims: Mapping[str, Any], *, kind: str) -> str:
        """As `Signer` says."""
        self._refresh()
        return self._current.sign_claims(claims, kind=kind)

    def public_keys(self) -> tuple[Ed25519PublicKey, ...]:
        """As `Signer` says."""
        self._refresh()
        former = self._former.public_keys() if self._former is not None else ()
        return (*self._current.public_keys(), *former)

    def secrets(self, purpose: str) -> tuple[bytes, ...]:
        """As `Signer` says."""
        self._refresh()
        former = self._former.secrets(purpose) if self._former is not None else ()
        return (*self._current.secrets(purpose), *former)

    def _refresh(self) -> None:
        if not self._file.changed():
            return
        try:
            read = IdentitySigner.from_pem(self._file.path.read_bytes())
        except (OSError, InvalidKey) as error:
            log.error("the changed identity key cannot be used; the one before stays in force: %s", error)
            return
        if read.public_key != self._current.public_key:
            self._former, self._current = self._current, read
            log.info("signing with another identity key")


class VerifierFile:
    """Checks tokens against the keys in a file that the operator signed.

    Raises:
        OSError, InvalidKey: if there is no such file at the start. Later a useless file leaves the keys in force.
    """

    def __init__(self, path: Path, *, anchor: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`anchor` is the base64 of the installation's public key, which the signature is checked with."""
        self._anchor = read_public_key(anchor)
        self._file = ChangingFile(path, clock=clock)
        self._file.changed()
        self._verifier = self._read()

    def verify(self, token: str, audience: str) -> Caller:
        """As `Verifier` says."""
        if self._file.changed():
            try:
                self._verifier = self._read()
                log.info("identity keys read")
            except (OSError, InvalidKey) as error:
                log.error("the changed identity keys cannot be used; those before stay in force: %s", error)
        return self._verifier.verify(token, audience)

    def _read(self) -> IdentityVerifier:
        path = self._file.path
        try:
            given = IdentityKeys.model_validate_json(path.read_bytes())
            self._anchor.verify(base64.b64decode(given.signature, validate=True), signed_text(given.keys))
        except (ValidationError, binascii.Error) as error:
            raise InvalidKey(f"{path} does not hold the operator's list of keys: {error}") from error
        except InvalidSignature:
            raise InvalidKey(
                f"{path} is not signed by this installation's operator: delete its ConfigMap, which the operator makes "
                "again"
            ) from None
        return IdentityVerifier(given.keys)
