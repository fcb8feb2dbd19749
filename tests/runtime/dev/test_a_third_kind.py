"""A kind joins the local driver by a folder and a row in each registry: one that only tests know is made real."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from slipway_crds.manifests import ManifestDocument
from slipway_crds.registry import OWNER_KINDS
from slipway_runtime.dev import driver
from slipway_runtime.dev.manifests import InvalidManifests, Manifests, NamespacedName, assemble
from slipway_runtime.dev.parts import Parts, open_parts
from slipway_runtime.settings import default_model_dir
from tests.support.beacons.kind import BEACON
from tests.support.beacons.local import ROW, SHOWN

NORTH = NamespacedName("demo", "north")


def beacons(**colours: str) -> Manifests:
    values: list[dict[str, Any]] = [
        {
            "apiVersion": "slipway.dev/v1alpha1",
            "kind": "Beacon",
            "metadata": {"name": name, "namespace": "demo"},
            "spec": {"index": "handbook", "colour": colour},
        }
        for name, colour in colours.items()
    ]
    return assemble([ManifestDocument(value, "beacons.yaml") for value in values])


@pytest.fixture(autouse=True)
def third_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OWNER_KINDS, BEACON.name, BEACON)


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    async with open_parts(tmp_path, model=default_model_dir(), delta_delay=0) as parts:
        yield parts


def test_its_manifests_are_checked() -> None:
    with pytest.raises(InvalidManifests, match=r"spec\.colour: must be red or green"):
        beacons(north="blue")
    (warning,) = beacons(north="red").warnings
    assert "there is no VectorIndex demo/handbook" in warning


async def test_its_row_makes_it_real_and_again_when_the_manifests_change(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "ROWS", [*driver.ROWS, ROW])
    local = driver.LocalDriver(parts, host_url="http://127.0.0.1:1")
    (outcome,) = await local.apply(beacons(north="red"), progress=lambda *_: None)
    assert (outcome.subject, outcome.made) == ("beacon demo/north", "red")
    assert {NORTH: "red"} == SHOWN
    await local.apply(beacons(south="green"), progress=lambda *_: None)
    assert {NamespacedName("demo", "south"): "green"} == SHOWN


async def test_without_a_row_nothing_is_made_of_it(parts: Parts) -> None:
    local = driver.LocalDriver(parts, host_url="http://127.0.0.1:1")
    assert await local.apply(beacons(north="red"), progress=lambda *_: None) == []
    assert local.missing() is None
