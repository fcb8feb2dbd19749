"""TLS at the gateway: a certificate is renewed while connections are open, and a broken one changes nothing."""

import asyncio
import os
import ssl
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509

from slipway_runtime import serving_tls
from slipway_runtime.gateway.main import CannotStart, read_tls
from slipway_runtime.serving_tls import CERTIFICATE, KEY
from slipway_runtime.settings import GatewaySettings
from tests.support.fake_kubernetes import FakeKubernetes
from tests.support.gateway_process import GatewayProcess, gateway_process
from tests.support.postgres_tls import certificate
from tests.support.servers import free_port
from tests.support.waiting import until_async

START_SECONDS = 120.0


def put(folder: Path, source: Path) -> None:
    """Make a certificate the folder's, as the kubelet does: each file at once."""
    for name, text in ((KEY, source.with_suffix(".key").read_bytes()), (CERTIFICATE, source.read_bytes())):
        draft = folder / f".{name}"
        draft.write_bytes(text)
        draft.replace(folder / name)


async def shown(port: int) -> str:
    """The name in the certificate that a new connection gets."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection("localhost", port, ssl=context)
    writer.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert (await reader.read()).endswith(b"alive")
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    (name,) = x509.load_der_x509_certificate(der).subject
    return str(name.value)


@pytest.fixture
async def gateway(cluster: FakeKubernetes, tmp_path: Path, stack: AsyncExitStack) -> tuple[GatewayProcess, int, Path]:
    """A gateway with a certificate called `one`, its port with TLS and the certificate's folder."""
    folder, port = tmp_path / "tls", free_port()
    folder.mkdir()
    put(folder, certificate(tmp_path, "one"))
    extra = {"SLIPWAY_TLS_DIR": str(folder), "SLIPWAY_TLS_PORT": str(port)}
    gateway = stack.enter_context(gateway_process(tmp_path, cluster, **extra))
    client = await stack.enter_async_context(aiohttp.ClientSession(gateway.url))
    await until_async(lambda: gateway.ready(client), "the gateway is ready", deadline=START_SECONDS)
    return gateway, port, folder


async def test_a_renewed_certificate_is_used_without_a_restart(
    gateway: tuple[GatewayProcess, int, Path], tmp_path: Path
) -> None:
    _, port, folder = gateway
    trusted = ssl.create_default_context(cafile=str(folder / CERTIFICATE))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted)) as client:
        async with client.get(f"https://localhost:{port}/livez") as response:
            assert await response.text() == "alive"
        put(folder, certificate(tmp_path, "two"))

        async def renewed() -> bool:
            return await shown(port) == "two"

        await until_async(renewed, "new connections get the new certificate")
        async with client.get(f"https://localhost:{port}/livez") as response:  # the connection that was open
            assert await response.text() == "alive"
    (folder / CERTIFICATE).write_text("broken")
    assert await shown(port) == "two"


def test_the_last_good_certificate_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    put(tmp_path, certificate(tmp_path, "one"))
    held = serving_tls.ServingCertificate(tmp_path, clock=lambda: now)
    first = held._now()
    for spoil in (lambda: (tmp_path / CERTIFICATE).write_text("broken"), lambda: os.remove(tmp_path / KEY)):
        spoil()
        now += serving_tls.CHECK_SECONDS
        assert held._now() is first
        assert "last good certificate" in caplog.text
        caplog.clear()
    put(tmp_path, certificate(tmp_path, "two"))
    now += serving_tls.CHECK_SECONDS
    assert held._now() is not first


def test_a_gateway_without_its_certificate_says_what_it_needs(tmp_path: Path) -> None:
    assert read_tls(GatewaySettings()) is None
    with pytest.raises(CannotStart, match=r"must hold tls\.crt and tls\.key"):
        read_tls(GatewaySettings(tls_dir=tmp_path))
