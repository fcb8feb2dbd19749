"""Certificates of hosts over a fake API server: issued, renewed, and of another authority after another root."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography import x509

from slipway_operator.core.cache import Cache
from slipway_operator.core.kube import KubeClient
from slipway_operator.installation.certificates import RENEW_AFTER, host_authority
from slipway_operator.installation.host_certificates import PATIENCE_SECONDS, HostCertificates
from tests.support import operator_builds
from tests.support.operator_api import FakeApi, fake_api

SYSTEM = "slipway-system"
CONFIG_MAP = "/api/v1/namespaces/demo/configmaps/slipway-host-tls"
SECRET = "/api/v1/namespaces/demo/secrets/slipway-host-tls"
AUTHORITIES = f"/api/v1/namespaces/{SYSTEM}/configmaps/slipway-host-authorities"


class Installation:
    """An operator with an agent in `demo`, and a clock."""

    def __init__(self, api: FakeApi, kube: KubeClient) -> None:
        self.api = api
        self.kube = kube
        self.cache = Cache()
        self.cache.put_resource(operator_builds.resource(operator_builds.agent()))
        self.now = 1_800_000_000.0
        self.certificates = self.operator(bytes(32))

    def operator(self, root: bytes) -> HostCertificates:
        """Another one, which remembers nothing."""
        self.certificates = HostCertificates(self.kube, self.cache, root=root, namespace=SYSTEM, clock=lambda: self.now)
        return self.certificates

    def watched(self) -> None:
        """The cache hears of the ConfigMaps."""
        for path, found in self.api.objects.items():
            if "/configmaps/" in path:
                metadata = found["metadata"]
                version = f"{metadata['uid']}/{metadata['resourceVersion']}"
                self.cache.put_config_map(metadata["namespace"], metadata["name"], version)

    def collected(self) -> None:
        """The Secret goes with its ConfigMap, as in a cluster."""
        if CONFIG_MAP not in self.api.objects:
            self.api.objects.pop(SECRET, None)
            self.cache.put_config_map("demo", "slipway-host-tls", None)

    @property
    def certificate(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(base64.b64decode(self.api.objects[SECRET]["data"]["tls.crt"]))

    def writes(self) -> int:
        return sum(method != "GET" for method, _ in self.api.requests)


@pytest.fixture
async def installation() -> AsyncIterator[Installation]:
    async with fake_api() as (api, kube):
        yield Installation(api, kube)


def names(certificate: x509.Certificate) -> list[str]:
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return found.value.get_values_for_type(x509.DNSName)


async def test_a_namespace_with_an_agent_gets_a_certificate_of_the_authority(installation: Installation) -> None:
    await installation.certificates.look()
    authority = host_authority(bytes(32))
    assert installation.api.objects[AUTHORITIES]["data"] == {"ca.crt": authority.pem}
    installation.certificate.verify_directly_issued_by(authority.certificate)
    assert names(installation.certificate) == ["*.demo.svc"]
    secret: Any = installation.api.objects[SECRET]
    assert secret["type"] == "kubernetes.io/tls"
    (owner,) = secret["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("ConfigMap", installation.api.objects[CONFIG_MAP]["metadata"]["uid"])


async def test_nothing_is_asked_while_nothing_is_due(installation: Installation) -> None:
    await installation.certificates.look()
    installation.watched()
    asked = len(installation.api.requests)
    await installation.certificates.look()
    assert len(installation.api.requests) == asked
    written = installation.writes()
    await installation.operator(bytes(32)).look()
    assert installation.writes() == written


async def test_a_certificate_is_renewed_before_it_ends(installation: Installation) -> None:
    await installation.certificates.look()
    installation.watched()
    first = installation.certificate
    installation.now += RENEW_AFTER.total_seconds()
    assert first.not_valid_after_utc.timestamp() > installation.now
    await installation.certificates.look()
    installation.collected()
    await installation.certificates.look()
    assert installation.certificate.serial_number != first.serial_number
    assert installation.certificate.not_valid_after_utc > first.not_valid_after_utc


async def test_another_root_is_another_authority_and_gateways_know_both(installation: Installation) -> None:
    await installation.certificates.look()
    await installation.operator(b"1" * 32).look()
    installation.collected()
    await installation.certificates.look()
    new, old = host_authority(b"1" * 32), host_authority(bytes(32))
    assert installation.api.objects[AUTHORITIES]["data"] == {"ca.crt": new.pem + old.pem}
    installation.certificate.verify_directly_issued_by(new.certificate)


async def test_a_secret_that_is_not_the_operators_is_left_alone(
    installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    own = {"metadata": {"name": "slipway-host-tls", "namespace": "demo"}, "data": {"tls.crt": "mine"}}
    installation.api.objects[SECRET] = own
    await installation.certificates.look()
    assert caplog.text == ""
    installation.now += PATIENCE_SECONDS + 1
    await installation.certificates.look()
    assert installation.api.objects[SECRET] is own
    assert "delete it if this is repeated" in caplog.text
