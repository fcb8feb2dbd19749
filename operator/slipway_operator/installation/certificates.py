"""Certificates that hosts and connectors speak TLS with, where the operator makes them.

The authority is derived from `slipway-root`, so it is the same after every restart and no further Secret is needed. A
namespace's certificate is for `*.NAMESPACE.svc`; its key is random and is never read back.
"""

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BEGINS = datetime(2026, 1, 1, tzinfo=UTC)
ENDS = datetime(2126, 1, 1, tzinfo=UTC)
"""Of the authority: fixed, so that it is byte for byte the same each time it is made."""
VALID = timedelta(days=90)
RENEW_AFTER = timedelta(days=60)
EARLIER = timedelta(hours=1)
"""How far clocks of pods may be behind the operator's."""


@dataclass(frozen=True)
class HostAuthority:
    """Who vouches for hosts of this installation."""

    key: Ed25519PrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        """The certificate, for gateways."""
        return self.certificate.public_bytes(Encoding.PEM).decode()


def host_authority(root: bytes) -> HostAuthority:
    """The authority of an installation, by the 32 bytes of `slipway-root`."""
    key = Ed25519PrivateKey.from_private_bytes(hmac.digest(root, b"host-authority/v1", "sha256"))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "slipway hosts")])
    serial = int.from_bytes(key.public_key().public_bytes_raw()[:16]) >> 1 or 1
    made = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key(), serial_number=serial)
        .not_valid_before(BEGINS)
        .not_valid_after(ENDS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, algorithm=None)
    )
    return HostAuthority(key, made)


def host_certificate(authority: HostAuthority, namespace: str, *, now: datetime) -> Mapping[str, str]:
    """`tls.crt` and `tls.key` of a namespace's hosts and connectors, in base64 as a Secret has them."""
    key = Ed25519PrivateKey.generate()
    issuer = authority.certificate
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, namespace)]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(f"*.{namespace}.svc")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
        .sign(authority.key, algorithm=None)
    )
    chain = made.public_bytes(Encoding.PEM)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {name: base64.b64encode(value).decode() for name, value in (("tls.crt", chain), ("tls.key", private))}


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
