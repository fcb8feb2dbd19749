"""A copy of .harness in a repository of links, where a test may break one file."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.harness import schema
from scripts.harness.check import check
from scripts.harness.problems import HarnessProblem

REPOSITORY = Path(__file__).parents[2]
Break = Callable[..., list[HarnessProblem]]


@pytest.fixture(scope="session")
def published() -> schema.Schema:
    """Harness's schema. The test is skipped where it is not at hand."""
    place = schema.given()
    if place is None:
        pytest.skip(f"{schema.VARIABLE} is not set: Harness's schema has no licence and is not in this repository")
    return schema.load(place)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The copied .harness."""
    for name in os.listdir(REPOSITORY):
        if name not in (".git", ".harness"):
            (tmp_path / name).symlink_to(REPOSITORY / name)
    return Path(shutil.copytree(REPOSITORY / ".harness", tmp_path / ".harness"))


@pytest.fixture
def after(copy: Path) -> Break:
    """Replace a text in a file of the copy and check: after("pipelines/slipway.yaml", old, new) -> problems."""

    def change(file: str, old: str, new: str, published: schema.Schema | None = None) -> list[HarnessProblem]:
        path = copy / file
        text = path.read_text()
        assert old in text, f"{old!r} is no longer in {file}"
        path.write_text(text.replace(old, new, 1))
        return check(copy, published)

    return change
