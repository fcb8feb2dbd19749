"""The gateway's key is exchanged while questions run: whoever learns of it first, none is refused or broken off."""

import asyncio
import os
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from slipway_operator.installation.identity import public_half
from slipway_runtime.gateway.app import create_app
from slipway_runtime.gateway.main import assembled
from slipway_runtime.gateway.routes import RouteTable
from slipway_runtime.identity_files import SignerFile, VerifierFile
from slipway_runtime.settings import GatewaySettings
from tests.runtime.gateway.conftest import CHAT, SUPPORT, Front, StartHost
from tests.support.chat import STREAM, transcribe
from tests.support.identity_keys import ANCHOR, write_keys
from tests.support.scripted_host import words
from tests.support.serving import served
from tests.support.waiting import until

KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2, 3)]
OLD, NEW, OTHER = (public_half(key) for key in KEYS)


class Clock:
    """A second passes at every look: files are looked at each time."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


class Installation:
    """A gateway and a host, and the folders of their volumes."""

    def __init__(self, front: Front, folder: Path) -> None:
        self.front = front
        self.folder = folder

    def sign_with(self, key: Ed25519PrivateKey) -> None:
        write_pem(self.folder / "private.pem", key)

    def accept(self, *keys: str) -> None:
        write_keys(self.folder, *keys)

    async def ask(self) -> int:
        async with self.front.client.post(CHAT, json={"question": "3 words"}) as response:
            await response.read()
            return response.status


def write_pem(file: Path, key: Ed25519PrivateKey) -> None:
    new = file.with_suffix(".new")
    new.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    os.replace(new, file)


@pytest.fixture
async def installation(stack: AsyncExitStack, start_host: StartHost, tmp_path: Path) -> Installation:
    """Both know the old key."""
    write_pem(tmp_path / "private.pem", KEYS[0])
    host, url = await start_host(delta_delay=0.02)
    host.verifier = VerifierFile(write_keys(tmp_path, OLD), anchor=public_half(ANCHOR), clock=Clock())
    signer = SignerFile(tmp_path / "private.pem", clock=Clock())
    settings = GatewaySettings.model_validate({"auth_mode": "open"})
    gateway = await stack.enter_async_context(assembled(settings, routes=RouteTable(), signer=signer))
    gateway.routes.set(SUPPORT, [url])
    front_url = await stack.enter_async_context(served(create_app(gateway)))
    client = await stack.enter_async_context(aiohttp.ClientSession(front_url))
    return Installation(Front(gateway, client, front_url), tmp_path)


async def test_the_host_learns_of_the_new_key_first(installation: Installation) -> None:
    installation.accept(OLD, NEW)
    assert await installation.ask() == 200
    installation.sign_with(KEYS[1])
    assert await installation.ask() == 200
    installation.accept(NEW)
    assert await installation.ask() == 200


async def test_the_gateway_learns_of_the_new_key_first(installation: Installation) -> None:
    """The host refuses the new key, and the gateway repeats the request with the one before."""
    installation.sign_with(KEYS[1])
    assert await installation.ask() == 200
    installation.accept(OLD, NEW)
    assert await installation.ask() == 200


async def test_a_key_that_the_host_never_learns_of_is_no_fault_of_the_caller(installation: Installation) -> None:
    installation.accept(OTHER)
    installation.sign_with(KEYS[1])
    assert await installation.ask() == 500


async def test_open_streams_go_on_while_the_key_is_exchanged(installation: Installation) -> None:
    front = installation.front

    async def stream() -> str:
        async with front.client.post(CHAT, json={"question": "say 60 words"}, headers=STREAM) as response:
            transcript = await transcribe(response)
        transcript.assert_whole("".join(words(60)))
        return str(response.status)

    streams = [asyncio.create_task(stream()) for _ in range(4)]
    (endpoint,) = front.routes.endpoints(SUPPORT)
    await until(lambda: endpoint.in_flight == 4, "all streams are open")
    installation.sign_with(KEYS[1])
    assert await installation.ask() == 200
    installation.accept(OLD, NEW)
    assert await installation.ask() == 200
    installation.accept(NEW)
    assert await installation.ask() == 200
    assert endpoint.in_flight == 4, "the streams are still open"
    assert await asyncio.gather(*streams) == ["200"] * 4
