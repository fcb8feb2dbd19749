"""Keys and kubeconfigs."""

import base64
import stat
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from devcluster import pki


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pki")
    pki.ensure(folder)
    return folder


def _certificate(folder: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes())


@pytest.mark.parametrize("desired", pki.CERTIFICATES, ids=lambda desired: desired.file)
def test_every_certificate_is_issued_by_its_authority_for_its_user(folder: Path, desired: pki.Certificate) -> None:
    certificate = _certificate(folder, desired.file)
    certificate.verify_directly_issued_by(_certificate(folder, desired.authority))
    subject = certificate.subject
    assert [name.value for name in subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == [desired.user]
    assert {name.value for name in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)} == set(desired.groups)


def test_the_api_server_is_valid_for_every_way_to_reach_it(folder: Path) -> None:
    names = _certificate(folder, "apiserver").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {str(address) for address in names.get_values_for_type(x509.IPAddress)} == {
        "127.0.0.1",
        "10.250.0.1",
        "10.96.0.1",
    }
    assert {"localhost", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"} <= set(
        names.get_values_for_type(x509.DNSName)
    )


def test_keys_are_for_the_owner_only_and_never_made_twice(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    pki.ensure(folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert {stat.S_IMODE(path.stat().st_mode) for path in before} == {0o600}


def test_keys_are_made_anew_when_a_crash_interrupted_the_first_time(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("half a certi")
    pki.ensure(tmp_path)
    assert _certificate(tmp_path, "ca").subject != _certificate(tmp_path, "admin").subject


def test_the_kubeconfig_carries_everything(folder: Path) -> None:
    config = yaml.safe_load(pki.kubeconfig(folder, user="admin", context="devcluster-two", port=16444))
    (cluster,) = config["clusters"]
    assert config["current-context"] == "devcluster-two"
    assert cluster["cluster"]["server"] == "https://127.0.0.1:16444"
    authority = base64.b64decode(cluster["cluster"]["certificate-authority-data"])
    assert authority == (folder / "ca.crt").read_bytes()
    user = config["users"][0]["user"]
    assert base64.b64decode(user["client-certificate-data"]) == (folder / "admin.crt").read_bytes()
