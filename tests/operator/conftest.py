"""Golden files: what the builders return, as YAML that a person can read and a diff can show.

`UPDATE_GOLDEN=1 pytest tests/operator` writes them anew; the diff is then for a person to judge.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml

from slipway_operator.core.manifests import Manifest

GOLDEN = Path(__file__).parent / "golden"

Golden = Callable[[str, Sequence[Manifest]], None]


@pytest.fixture
def golden() -> Golden:
    """Compare manifests with a golden file."""

    def compare(name: str, manifests: Sequence[Manifest]) -> None:
        path = GOLDEN / f"{name}.yaml"
        text = yaml.dump_all(manifests, sort_keys=False, Dumper=_Plain, width=120)
        if os.environ.get("UPDATE_GOLDEN"):
            path.write_text(text)
        assert path.exists(), f"there is no {path.name}: run UPDATE_GOLDEN=1 pytest tests/operator"
        assert text == path.read_text(), f"{path.name} differs: look at the change, then update it"

    return compare


class _Plain(yaml.SafeDumper):
    """No anchors: every object is to be read alone."""

    def ignore_aliases(self, data: object) -> bool:
        return True
