"""Rendering the chart with helm, offline."""

import functools
import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster import binaries, recipes
from slipway_demo.paths import CHART

Object = dict[str, Any]
Render = Callable[[Mapping[str, Any]], list[Object]]
KUBERNETES = "1.34.0"


@pytest.fixture(scope="session")
def helm() -> str:
    """helm from the path, else built from its Go module into the cache."""
    return shutil.which("helm") or str(binaries.ensure(recipes.HELM))


@pytest.fixture(scope="session")
def render(helm: str, tmp_path_factory: pytest.TempPathFactory) -> Render:
    """Render the chart with values; returns the objects. Raises RefusedByHelm with helm's words."""

    @functools.cache
    def template(values: str) -> str:
        file: Path = tmp_path_factory.mktemp("values") / "values.json"
        file.write_text(values)
        options = ["--namespace=slipway-system", f"--kube-version={KUBERNETES}", f"--values={file}"]
        command = [helm, "template", "slipway", str(CHART), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RefusedByHelm(done.stderr)
        return done.stdout

    def render(values: Mapping[str, Any]) -> list[Object]:
        return [document for document in yaml.load_all(template(json.dumps(values)), yaml.CSafeLoader) if document]

    return render


class RefusedByHelm(Exception):
    """helm did not render the chart."""
