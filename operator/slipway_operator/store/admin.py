"""The store's administrator: the DSN in a mounted file, taken apart and checked.

The file is read again for each connection, so that a changed password reaches the operator without a restart.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from slipway_operator.store.builders import CA_FILE, VERIFYING, StoreAddress

FORM = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


class AdminSecretError(ValueError):
    """The admin's DSN is of no use; the message says what to change, and holds nothing of it."""


@dataclass(frozen=True, kw_only=True)
class Admin:
    """The admin's DSN, taken apart."""

    dsn: str
    address: StoreAddress


def read_admin(
    path: Path, *, made: str = "", host: str = "", port: int | None = None, authorities: bool = False
) -> Admin:
    """The mounted DSN.

    Args:
        path: the file.
        made: the DSN to use while there is no file: the operator has created the Secret just now.
        host: where pods find the store, if the operator takes another way.
        port: likewise.
        authorities: whether the chart's `caBundle` is set, so that all pods have the file `CA_FILE`.

    Raises:
        AdminSecretError: if the file does not hold a DSN with a password, or one that pods could not use.
    """
    dsn, parts, found_port = _read(path, made)
    found = host or parts.hostname or ""
    if parts.scheme not in ("postgresql", "postgres") or not found or not parts.password:
        raise AdminSecretError(f"{path} must hold {FORM}")
    parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
    if host:
        parameters.pop("host", None)  # the operator's own way
    sslmode = _sslmode(path, parameters, authorities=authorities)
    if sslmode in VERIFYING:
        dsn += f"&sslrootcert={CA_FILE}"
    address = StoreAddress(
        host=found.strip("[]"),
        port=port or found_port or 5432,
        database=unquote(parts.path.lstrip("/")) or "postgres",
        sslmode=sslmode,
    )
    return Admin(dsn=dsn, address=address)


def _read(path: Path, made: str) -> tuple[str, SplitResult, int | None]:
    try:
        dsn = made if made and not path.exists() else path.read_text().strip()
    except OSError as error:
        raise AdminSecretError(
            f"{path} cannot be read ({error.strerror}): the Secret that the chart value postgres.existingSecret names "
            f"needs the key dsn with {FORM}"
        ) from error
    try:
        parts = urlsplit(dsn)
        return dsn, parts, parts.port
    except ValueError:
        # Without the cause: its words quote what may be a part of the password.
        raise AdminSecretError(
            f"{path} must hold {FORM}; in the password, write every character but letters and digits as %XX"
        ) from None


def _sslmode(path: Path, parameters: Mapping[str, str], *, authorities: bool) -> str:
    """The one parameter that can be passed on to pods; empty if there is none."""
    if "sslrootcert" in parameters:
        raise AdminSecretError(
            f"sslrootcert in {path} names a file that pods do not have: remove it, and name a ConfigMap with the "
            "authority in the chart value caBundle.configMap"
        )
    others = sorted(parameters.keys() - {"sslmode"})
    if others:
        raise AdminSecretError(f"{path} has parameters that are not passed on to agents; remove {', '.join(others)}")
    sslmode = parameters.get("sslmode")
    if sslmode is not None and sslmode not in SSL_MODES:
        raise AdminSecretError(f"sslmode in {path} must be one of {', '.join(SSL_MODES)}")
    if sslmode in VERIFYING and not authorities:
        raise AdminSecretError(
            f"sslmode={sslmode} in {path} needs the authority that signed the server's certificate: "
            "name a ConfigMap with it in the chart value caBundle.configMap"
        )
    return sslmode or ""
