"""TLS from the gateway to hosts and connectors, with certificates as the operator makes them."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from mcp import Client

from slipway_crds.plugins.upstream import upstream_of
from slipway_runtime.connector.app import create_connector_app
from slipway_runtime.connector.main import server_of
from slipway_runtime.gateway.host_authorities import HostAuthorities
from slipway_runtime.gateway.main import CannotStart, read_authorities
from slipway_runtime.gateway.plugins.source import ClusterAccess
from slipway_runtime.gateway.routes import PluginKey
from slipway_runtime.identity import IdentitySigner, IdentityVerifier
from slipway_runtime.serving_tls import ServingCertificate
from slipway_runtime.settings import GatewaySettings
from tests.runtime.gateway.conftest import ANSWER, CHAT, QUESTION, SUPPORT, Front, StartFront
from tests.runtime.test_connector import _anywhere, connector_parts
from tests.support.host_certificates import AUTHORITY, OTHER, put_authorities, put_certificate
from tests.support.host_process import host_process
from tests.support.mcp_servers import Recording, application
from tests.support.servers import free_port
from tests.support.serving import served
from tests.support.waiting import until_async

__all__ = ["_anywhere"]


@asynccontextmanager
async def host_with_tls(folder: Path, certificate: Path) -> AsyncIterator[str]:
    """The URL of a host's process that speaks TLS with the certificate of a folder."""
    port = free_port()
    store = f"sqlite:///{folder}/store.db"
    starting = host_process(folder, store, SLIPWAY_TLS_DIR=str(certificate), SLIPWAY_TLS_PORT=str(port))
    await asyncio.to_thread(starting.__enter__)
    try:
        yield f"https://127.0.0.1:{port}"
    finally:
        await asyncio.to_thread(starting.__exit__, None, None, None)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return put_certificate(tmp_path / "tls", "demo")


@pytest.fixture
def authorities(tmp_path: Path) -> Path:
    return put_authorities(tmp_path / "ca.crt", AUTHORITY)


@pytest.fixture
async def front(start_front: StartFront, tmp_path: Path, certificate: Path, authorities: Path) -> AsyncIterator[Front]:
    """A gateway with one host behind it, which it calls by TLS."""
    async with host_with_tls(tmp_path, certificate) as url:
        front = await start_front(host_authorities_file=authorities, hold_seconds=1.0)
        front.routes.set(SUPPORT, [url])
        yield front


async def ask(front: Front) -> tuple[int, str]:
    async with front.client.post(CHAT, json=QUESTION) as response:
        answer = await response.json()
    return response.status, answer.get("answer") or answer["reason"]


async def shown(url: str) -> int:
    """The serial number of the certificate that a new connection gets."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    port = int(url.rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return x509.load_der_x509_certificate(der).serial_number


async def test_a_host_is_asked_by_tls_and_its_certificates_are_renewed_without_a_restart(
    front: Front, certificate: Path, authorities: Path
) -> None:
    assert await ask(front) == (200, ANSWER)
    (endpoint,) = [front.routes.pick(SUPPORT)]
    assert endpoint is not None
    before = await shown(endpoint.url)
    put_certificate(certificate, "demo", authority=OTHER)

    async def renewed() -> bool:
        return await shown(endpoint.url) != before

    await until_async(renewed, "new connections get the new certificate")
    put_authorities(authorities, OTHER, AUTHORITY)

    async def answers() -> bool:
        return await ask(front) == (200, ANSWER)

    await until_async(answers, "the gateway trusts the new authority")


@pytest.mark.parametrize(("namespace", "authority"), [("other", AUTHORITY), ("demo", OTHER)])
async def test_a_pod_without_a_certificate_of_the_namespace_is_not_asked(
    start_front: StartFront, tmp_path: Path, authorities: Path, namespace: str, authority: object
) -> None:
    foreign = put_certificate(tmp_path / "foreign", namespace, authority=authority)  # type: ignore[arg-type]
    async with host_with_tls(tmp_path, foreign) as url:
        front = await start_front(host_authorities_file=authorities, hold_seconds=0.5)
        front.routes.set(SUPPORT, [url])
        assert await ask(front) == (503, "NoPodReady")


async def test_a_connector_is_called_by_tls(
    start_front: StartFront, signer: IdentitySigner, stack: AsyncExitStack, tmp_path: Path, authorities: Path
) -> None:
    (tmp_path / "headers").mkdir()
    (tmp_path / "headers" / "authorization").write_text("s3cret")
    certificate, port = put_certificate(tmp_path / "tls", "demo"), free_port()
    recording = Recording(application())
    plugin, config = await connector_parts(stack, recording, tokenRef={"name": "tools", "key": "token"})
    server = server_of(config, tmp_path)
    stack.push_async_callback(server.close)
    app = create_connector_app(server, IdentityVerifier([signer.public_key]))
    await stack.enter_async_context(served(app, tls=(port, ServingCertificate(certificate).context)))
    upstream = upstream_of(plugin, tls=True)
    assert upstream.url == "https://tools-connector.demo.svc:8443/mcp"
    front = await start_front(host_authorities_file=authorities)
    access = ClusterAccess(signer, authorities=HostAuthorities(authorities))
    with pytest.MonkeyPatch.context() as patch:  # the name of the Service, which only a cluster resolves
        patch.setattr("slipway_runtime.addresses.resolve", _here)
        at = upstream.url.replace(":8443", f":{port}")
        here = type(upstream)(
            **{**{name: getattr(upstream, name) for name in upstream.__dataclass_fields__}, "url": at}
        )
        front.gateway.plugins.set(PluginKey("demo", "tools"), here, access(here))
        async with Client(f"{front.url}/plugins/demo/tools/mcp") as client:
            await client.call_tool("echo", {"text": "hello"})
    assert [headers["authorization"] for headers, _ in recording.of("tools/call")] == ["Bearer s3cret"]


async def _here(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


def test_a_gateway_without_authorities_says_what_it_needs(tmp_path: Path) -> None:
    assert read_authorities(GatewaySettings()) is None
    (tmp_path / "ca.crt").write_text("broken")
    with pytest.raises(CannotStart, match="must hold PEM certificates of the authorities of hosts"):
        read_authorities(GatewaySettings(host_authorities_file=tmp_path / "ca.crt"))


async def test_useless_authorities_leave_the_last_good_ones(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    file = put_authorities(tmp_path / "ca.crt", AUTHORITY)
    held = HostAuthorities(file, clock=lambda: now)
    first = held.context()
    file.write_text("broken")
    now += 60
    assert held.context() is first
    assert "stay in force" in caplog.text
