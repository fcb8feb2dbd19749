"""The cluster's keys: a certificate authority, a certificate for everybody who must prove who they are, kubeconfigs.

They live as long as the cluster's folder does, which is as long as anybody could use them, so nothing is ever renewed.
"""

import base64
import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from devcluster.files import write
from devcluster.settings import API_PORT, API_SERVICE_ADDRESS, DOMAIN, NODE_ADDRESS, NODE_NAME, Cluster

LIFETIME = datetime.timedelta(days=3650)
API_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    f"kubernetes.default.svc.{DOMAIN}",
    NODE_NAME,
)
API_ADDRESSES = ("127.0.0.1", NODE_ADDRESS, API_SERVICE_ADDRESS)


@dataclass(frozen=True)
class Certificate:
    """What a certificate says. Kubernetes reads the common name as the user and organisations as groups."""

    file: str
    user: str
    groups: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    authority: Literal["ca", "front-proxy-ca"] = "ca"

    @property
    def usage(self) -> x509.ObjectIdentifier:
        return ExtendedKeyUsageOID.SERVER_AUTH if self.addresses else ExtendedKeyUsageOID.CLIENT_AUTH


CERTIFICATES = (
    Certificate("apiserver", "kube-apiserver", names=API_NAMES, addresses=API_ADDRESSES),
    Certificate("kubelet-server", NODE_NAME, names=(NODE_NAME,), addresses=(NODE_ADDRESS, "127.0.0.1")),
    Certificate("admin", "admin", groups=("system:masters",)),
    Certificate("apiserver-kubelet-client", "kube-apiserver", groups=("system:masters",)),
    Certificate("kube-controller-manager", "system:kube-controller-manager"),
    Certificate("kube-scheduler", "system:kube-scheduler"),
    Certificate("kubelet", f"system:node:{NODE_NAME}", groups=("system:nodes",)),
    Certificate("kube-proxy", "system:kube-proxy"),
    # A user of its own, so that the audit log tells the storage provisioner from the person at the keyboard.
    Certificate("storage", "devcluster:storage", groups=("system:masters",)),
    Certificate("front-proxy-client", "front-proxy-client", authority="front-proxy-ca"),
)
IN_CLUSTER_USERS = ("kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "storage")
"""Certificates that get a kubeconfig for use inside the cluster's network namespace."""


def ensure(folder: Path) -> None:
    """Write all keys and certificates into the folder, unless they are there. The last one written says so."""
    complete = folder / "complete"
    if complete.exists():
        return
    authorities = {name: _authority(folder, name) for name in ("ca", "front-proxy-ca")}
    for certificate in CERTIFICATES:
        _issue(folder, certificate, *authorities[certificate.authority])
    signing_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    write(folder / "service-accounts.key", _private(signing_key))
    public = signing_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    write(folder / "service-accounts.pub", public)
    write(complete, "")


def kubeconfig(folder: Path, *, user: str, context: str, port: int) -> str:
    """A kubeconfig that carries everything in itself: authority, client certificate and key."""

    def read(name: str) -> str:
        return base64.b64encode((folder / name).read_bytes()).decode()

    server = f"https://127.0.0.1:{port}"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": context, "cluster": {"server": server, "certificate-authority-data": read("ca.crt")}}],
        "users": [
            {
                "name": context,
                "user": {"client-certificate-data": read(f"{user}.crt"), "client-key-data": read(f"{user}.key")},
            }
        ],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        "current-context": context,
    }
    return yaml.safe_dump(config, sort_keys=False)


def write_kubeconfigs(cluster: Cluster, *, port: int) -> None:
    """Write the user's kubeconfig (through the door at `port`) and the components' own."""
    write(cluster.kubeconfig, kubeconfig(cluster.pki, user="admin", context=cluster.context, port=port))
    for user in IN_CLUSTER_USERS:
        content = kubeconfig(cluster.pki, user=user, context=cluster.context, port=API_PORT)
        write(cluster.config / f"{user}.kubeconfig", content)


def _authority(folder: Path, name: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"devcluster {name}")])
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        _builder(subject, subject, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write(folder / f"{name}.key", _private(key))
    write(folder / f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM))
    return certificate, key


def _issue(
    folder: Path, desired: Certificate, authority: x509.Certificate, authority_key: ec.EllipticCurvePrivateKey
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in desired.groups]
    subject = x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, desired.user)])
    builder = (
        _builder(subject, authority.subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([desired.usage]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
    )
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in desired.names]
    alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in desired.addresses]
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    certificate = builder.sign(authority_key, hashes.SHA256())
    write(folder / f"{desired.file}.key", _private(key))
    write(folder / f"{desired.file}.crt", certificate.public_bytes(serialization.Encoding.PEM))


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
    )


def _private(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
