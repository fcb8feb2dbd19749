"""The version that the runtime names itself with, in an image too."""

import tomllib
from pathlib import Path

from slipway_runtime.version import VERSION

ROOT = Path(__file__).parents[2]
IN_IMAGES = ("agent-runtime/slipway_runtime", "operator/slipway_operator", "crds/slipway_crds")


def test_it_is_that_of_the_package() -> None:
    assert tomllib.loads((ROOT / "agent-runtime" / "pyproject.toml").read_text())["project"]["version"] == VERSION


def test_nothing_in_an_image_asks_for_package_metadata() -> None:
    """Images have the sources of our packages in a folder, where they are not installed."""
    sources = [path for folder in IN_IMAGES for path in (ROOT / folder).rglob("*.py")]
    assert len(sources) > 300
    asking = [path.name for path in sources if "importlib.metadata" in path.read_text()]
    assert asking == ["plugin.py"], "only for the wheels of plugins, in the folder that they were unpacked to"
