"""Whether what is about to run is what a Plugin pins, and is signed by somebody whose key it names."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from slipway_crds.plugins.connector import key_file
from slipway_crds.plugins.model import Plugin
from slipway_crds.plugins.trust import VerificationKey
from slipway_runtime.plugins.loaded import PluginNotLoaded
from slipway_runtime.plugins.signing import SignatureRefused, TrustedKey, check_digest, verify


def check_source(plugin: Plugin, source: bytes, folder: Path, *, now: datetime | None = None) -> None:
    """See that the bytes of a plugin are the right ones.

    Args:
        folder: has the keys of ConfigMaps.
        now: the present if not given.

    Raises:
        PluginNotLoaded: with the reason of `SignatureRefused`, or `KeyMissing`.
    """
    try:
        if plugin.spec.digest:
            check_digest(source, plugin.spec.digest)
    except SignatureRefused as error:
        raise PluginNotLoaded(error.reason, str(error)) from error
    check_signature(plugin, source, folder, now=now)


def check_signature(plugin: Plugin, signed: bytes, folder: Path, *, now: datetime | None = None) -> None:
    """See that one of a Plugin's keys signed these bytes, if it demands that. Arguments and exceptions as above."""
    signature = plugin.spec.signature
    if signature is None:
        return
    keys = [_trusted(each, folder / key_file(at)) for at, each in enumerate(signature.keys)]
    try:
        verify(signed, signature.value, keys, now=now)
    except SignatureRefused as error:
        raise PluginNotLoaded(error.reason, str(error)) from error


def _trusted(key: VerificationKey, file: Path) -> TrustedKey:
    expires = datetime.combine(date.fromisoformat(key.expires) + timedelta(1), time(), UTC) if key.expires else None
    return TrustedKey(pem=key.pem or _read(file), expires=expires)


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError):
        raise PluginNotLoaded(
            "KeyMissing", "a ConfigMap of spec.signature.keys is missing, or has no such key: create it"
        ) from None
