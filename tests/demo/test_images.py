"""Tags follow content: the same sources never build twice, and a changed image never hides behind an old tag."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway_demo.images import ALL, OF_ALL, ImageTarget, tag
from slipway_demo.paths import ROOT

IMAGE = ImageTarget("operator", ("requirements/operator.txt", "operator/slipway_operator"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in (*OF_ALL, "requirements/operator.txt", "operator/slipway_operator/main.py"):
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "digest.json").write_text("{}")
    return tmp_path / "root"


def _tag(root: Path, image: ImageTarget = IMAGE, base: str = "sha256:1") -> str:
    return tag(image, root=root, model=root.parent / "model", base=base)


def test_the_same_content_has_the_same_tag(root: Path) -> None:
    before = _tag(root)
    (root / "operator/slipway_operator/__pycache__").mkdir()
    (root / "operator/slipway_operator/__pycache__/main.pyc").write_text("bytecode")
    (root / "README.md").write_text("not in the image")
    assert _tag(root) == before
    assert re.fullmatch("[0-9a-f]{12}", before)


@pytest.mark.parametrize("name", [*OF_ALL, "requirements/operator.txt", "operator/slipway_operator/main.py"])
def test_every_input_changes_the_tag(root: Path, name: str) -> None:
    before = _tag(root)
    (root / name).write_text("something else")
    assert _tag(root) != before


def test_base_image_and_file_modes_change_the_tag(root: Path) -> None:
    before = _tag(root)
    assert _tag(root, base="sha256:2") != before
    (root / "operator/slipway_operator/main.py").chmod(0o755)
    assert _tag(root) != before


def test_the_model_counts_only_where_it_is_inside(root: Path) -> None:
    with_model = ImageTarget("runtime", IMAGE.inputs, model=True)
    before = _tag(root), _tag(root, with_model)
    (root.parent / "model" / "digest.json").write_text('{"changed": true}')
    assert _tag(root) == before[0]
    assert _tag(root, with_model) != before[1]


def test_inputs_are_what_the_dockerfile_copies() -> None:
    for image in ALL:
        copied = set(_copied(image.name))
        assert copied == set(image.inputs) | {"images/trim.py"}, image.name
        assert all((ROOT / name).exists() for name in (*OF_ALL, *image.inputs))


def test_every_image_says_what_it_is() -> None:
    for image in ALL:
        stage = (ROOT / "Dockerfile").read_text().split(f"AS {image.name}\n")[1].split("\nFROM ")[0]
        for label in ("title", "description", "licenses"):
            assert f'org.opencontainers.image.{label}="' in stage, (image.name, label)


def _copied(target: str) -> Iterator[str]:
    """What a target and the stages it is made of copy from the repository."""
    stages = re.split(r"^FROM ", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)[1:]
    by_name = {re.match(r"\S+ AS (\S+)", stage)[1]: stage for stage in stages}  # type: ignore[index]
    stage = by_name[target]
    begun = stage.split()[0]
    yield from _copied(begun) if begun in by_name else ()
    for line in stage.splitlines():
        if found := re.match(r"COPY --from=(\S+)", line):
            yield from _copied(found[1]) if found[1] in by_name else ()
        elif found := re.match(r"COPY (\S+)", line):
            yield found[1]
