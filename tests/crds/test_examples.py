"""What the documentation has people apply is right, whole, and refers to nothing that is not there."""

from pathlib import Path

import pytest

from slipway_crds.manifests import load_paths
from slipway_crds.validate import validate_set

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


PLUGINS = EXAMPLES / "plugins"
APPLIED_AS_THEY_ARE = sorted(
    each
    for each in (*EXAMPLES.iterdir(), *PLUGINS.iterdir())
    if each != PLUGINS and not (each / "kustomization.yaml").exists()
)
"""What kustomize has to build first is in tests/cluster/test_kustomize.py."""


@pytest.mark.parametrize("folder", APPLIED_AS_THEY_ARE, ids=lambda folder: folder.name)
def test_an_example_has_no_findings_not_even_warnings(folder: Path) -> None:
    assert [str(finding) for finding in validate_set(load_paths([folder]))] == []
