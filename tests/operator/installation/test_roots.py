"""The Secrets that the operator makes: used as they were created, or read from a volume that fills later."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from slipway_operator.installation import roots
from slipway_operator.installation.identity import identity_secret, public_key
from slipway_operator.installation.roots import UselessRootError, obtain_root, root_secret, store_secret
from slipway_operator.store.admin import read_admin
from tests.support.operator_api import FakeApi, fake_api
from tests.support.waiting import until_async

NAMESPACE = "slipway-system"


def stored(api: FakeApi, name: str) -> dict[str, bytes]:
    """A Secret's values."""
    data = api.objects[f"/api/v1/namespaces/{NAMESPACE}/secrets/{name}"]["data"]
    return {key: base64.b64decode(value) for key, value in data.items()}


@asynccontextmanager
async def kubelet(api: FakeApi, name: str, folder: Path) -> AsyncIterator[None]:
    """Fills the volume of a Secret as soon as somebody was refused to create it again."""

    async def fill() -> None:
        await until_async(lambda: _true(sum(method == "POST" for method, _ in api.requests) > 1), "a second create")
        for key, value in stored(api, name).items():
            (folder / key).write_bytes(value)

    filling = asyncio.create_task(fill())
    yield
    await filling


async def _true(value: bool) -> bool:
    return value


async def test_the_root_is_random_and_used_as_it_was_created(tmp_path: Path) -> None:
    async with fake_api() as (api, kube):
        root = await obtain_root(root_secret(kube, namespace=NAMESPACE, folder=tmp_path))
    assert stored(api, "slipway-root") == {"root": root}
    assert len(root) == 32
    async with fake_api() as (_, kube):
        assert await obtain_root(root_secret(kube, namespace=NAMESPACE, folder=tmp_path)) != root


async def test_a_root_that_is_there_already_is_read_from_the_volume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roots, "POLL_SECONDS", 0.01)
    async with fake_api() as (api, kube):
        made = await obtain_root(root_secret(kube, namespace=NAMESPACE, folder=tmp_path))
        async with kubelet(api, "slipway-root", tmp_path):
            assert await obtain_root(root_secret(kube, namespace=NAMESPACE, folder=tmp_path)) == made
    assert not any(method == "GET" and "secrets" in path for method, path in api.requests)


async def test_a_mounted_root_asks_the_api_server_nothing(tmp_path: Path) -> None:
    (tmp_path / "root").write_bytes(bytes(32))
    async with fake_api() as (api, kube):
        assert await obtain_root(root_secret(kube, namespace=NAMESPACE, folder=tmp_path)) == bytes(32)
    assert not api.requests


async def test_a_root_of_another_length_is_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "root").write_bytes(b"short")
    async with fake_api() as (_, kube):
        with pytest.raises(UselessRootError, match="32 random bytes under the key root, not 5"):
            await obtain_root(root_secret(kube, namespace=NAMESPACE, folder=tmp_path))


async def test_the_identity_is_a_key_of_which_hosts_get_the_public_half(tmp_path: Path) -> None:
    async with fake_api() as (api, kube):
        made = await identity_secret(kube, namespace=NAMESPACE, folder=tmp_path).obtain()
    assert stored(api, "slipway-identity") == {"private.pem": made}
    key = load_pem_private_key(made, password=None)
    assert isinstance(key, Ed25519PrivateKey)
    assert base64.b64decode(public_key(made)) == key.public_key().public_bytes_raw()


def test_an_identity_that_is_no_ed25519_key_is_refused_with_advice() -> None:
    with pytest.raises(UselessRootError, match=r"Secret slipway-identity must hold .* private\.pem"):
        public_key(b"garbage")


async def test_the_bundled_stores_administrator_is_usable_before_the_volume_is_filled(tmp_path: Path) -> None:
    file = tmp_path / "dsn"
    async with fake_api() as (api, kube):
        made = store_secret(kube, namespace=NAMESPACE, file=file, host="slipway-postgres.slipway-system.svc")
        await made.obtain()
    values = stored(api, "slipway-postgres")
    admin = read_admin(file, made=(made.current() or b"").decode())
    assert values["dsn"].decode() == admin.dsn
    assert admin.dsn == f"postgresql://slipway:{values['password'].decode()}@{admin.address.host}:5432/slipway"
    file.write_text("postgresql://slipway:rotated@elsewhere/slipway")
    assert read_admin(file, made=(made.current() or b"").decode()).dsn.startswith("postgresql://slipway:rotated@")
