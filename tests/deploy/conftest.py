"""A published release, as the two files of `make publish-*` put together have it, and the chart with its values."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster import binaries, recipes
from scripts.deploy.published import Published, parse
from slipway_demo.images import IMAGES
from slipway_demo.paths import CHART

DIGEST = "sha256:" + "ab" * 32


def text(registry: str = "registry.test/slipway") -> str:
    """The file."""
    names = {image.name: f"{registry}/{image.name}" for image in IMAGES} | {"chart": f"{registry}/charts/slipway"}
    return json.dumps({name: {"image": image, "tag": "0.2.0", "digest": DIGEST} for name, image in names.items()})


@pytest.fixture(scope="session")
def published() -> Published:
    return parse(text())


@pytest.fixture(scope="session")
def rendered(published: Published, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The chart's objects for that release."""
    helm = shutil.which("helm") or str(binaries.ensure(recipes.HELM))
    values: Path = tmp_path_factory.mktemp("values") / "published.json"
    values.write_text(json.dumps(published.values()))
    command = [helm, "template", "slipway", str(CHART), f"--values={values}", "--kube-version=1.34.0"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [each for each in yaml.safe_load_all(done.stdout) if each]
