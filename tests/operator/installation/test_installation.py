"""What the leading operator does when a Secret of its installation is deleted or changed under it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from slipway_operator.installation import installation as installations
from slipway_operator.installation.installation import Installation, StartAgainError
from slipway_operator.settings import OperatorSettings
from tests.operator.installation.test_roots import NAMESPACE, stored
from tests.support.operator_api import FakeApi, fake_api

SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"
HOST = "slipway-postgres.slipway-system.svc"


class Bundled:
    """An installation with the bundled store, whose volumes the kubelet has filled."""

    def __init__(self, api: FakeApi, made: Installation, folder: Path) -> None:
        self.api = api
        self.made = made
        self.folder = folder

    def fill_volumes(self) -> None:
        (self.folder / "root").write_bytes(stored(self.api, "slipway-root")["root"])
        (self.folder / "dsn").write_bytes(stored(self.api, "slipway-postgres")["dsn"])

    def delete(self, name: str, key: str) -> None:
        del self.api.objects[f"{SECRETS}/{name}"]
        (self.folder / key).unlink()


@pytest.fixture
async def bundled(tmp_path: Path) -> AsyncIterator[Bundled]:
    settings = OperatorSettings(
        runtime_image="x",
        chroma_image="x",
        bundled_store_host=HOST,
        admin_dsn_file=tmp_path / "dsn",
        root_dir=tmp_path,
        identity_dir=tmp_path,
    )
    async with fake_api() as (api, kube):
        bundled = Bundled(api, await installations.obtain(settings, kube), tmp_path)
        bundled.fill_volumes()
        await bundled.made.keep()
        yield bundled


async def test_nothing_is_written_while_all_are_there(bundled: Bundled) -> None:
    asked = len(bundled.api.requests)
    await bundled.made.keep()
    assert len(bundled.api.requests) == asked


async def test_a_root_that_was_deleted_is_made_again_as_it_was(bundled: Bundled) -> None:
    """By mistake, as far as the operator can know: another root would change every password."""
    bundled.delete("slipway-root", "root")
    await bundled.made.keep()
    assert stored(bundled.api, "slipway-root") == {"root": bundled.made.root}


async def test_a_bundled_stores_password_that_was_deleted_is_another_one(bundled: Bundled) -> None:
    old = bundled.made.admin().dsn
    bundled.delete("slipway-postgres", "dsn")
    await bundled.made.keep()
    new = bundled.made.admin().dsn
    assert new != old
    assert stored(bundled.api, "slipway-postgres")["dsn"].decode() == new


async def test_another_password_is_used_and_changes_nothing_else(bundled: Bundled) -> None:
    (bundled.folder / "dsn").write_text(f"postgresql://slipway:other@{HOST}:5432/slipway")
    await bundled.made.keep()
    assert ":other@" in bundled.made.admin().dsn


@pytest.mark.parametrize("change", ["address", "root"])
async def test_what_everything_was_made_from_has_changed(bundled: Bundled, change: str) -> None:
    if change == "root":
        (bundled.folder / "root").write_bytes(bytes(32))
    else:
        (bundled.folder / "dsn").write_text("postgresql://slipway:other@elsewhere:5432/slipway")
    with pytest.raises(StartAgainError, match="starting again"):
        await bundled.made.keep()
