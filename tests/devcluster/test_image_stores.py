"""Images that were unpacked once, in clusters that begin with them. No cluster runs: a containerd is enough."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster import archives, checks, image_stores
from devcluster.commands import run
from devcluster.settings import cluster

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(os.geteuid() != 0, reason="containerd needs root"),
]
FIRST, SECOND, THIRD = (f"slipway.local/unpacked-{number}:1" for number in (1, 2, 3))


@pytest.fixture(autouse=True)
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A cache of the test's own, and three images in buildah's store."""
    checks.ensure(install=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    program = tmp_path / "program"
    for name in (FIRST, SECOND, THIRD):
        program.write_text(name)
        archives.write_archive(archives.Image(name, {"/program": program}), tmp_path / "image.tar")
        run(["buildah", "pull", "--quiet", f"oci-archive:{tmp_path / 'image.tar'}"])
    yield
    subprocess.run(["buildah", "rmi", FIRST, SECOND, THIRD], check=False)


def layers(root: Path) -> dict[str, int]:
    """What the unpacked programs say -> the file's inode."""
    return {path.read_text(): path.stat().st_ino for path in root.glob("*/snapshots/*/fs/program")}


def test_clusters_share_the_files_of_their_images_and_no_database() -> None:
    one, two = (image_stores.containerd_root(cluster(name)) for name in ("one", "two"))
    for name in ("one", "two"):
        image_stores.give(cluster(name), [FIRST, SECOND])
    assert set(layers(one)) == {FIRST, SECOND}
    assert layers(one) == layers(two)
    databases = [{path.name: path.stat().st_ino for path in root.glob("*/*.db")} for root in (one, two)]
    assert set(databases[0]) == set(databases[1]) == {"meta.db", "metadata.db"}
    assert not set(databases[0].values()) & set(databases[1].values())


def test_a_containerd_knows_the_images_of_its_copy() -> None:
    image_stores.give(cluster("one"), [FIRST, SECOND])
    with image_stores.containerd(image_stores.containerd_root(cluster("one"))) as client:
        assert set(client.images()) == {FIRST, SECOND}


def test_another_set_keeps_what_is_the_same_and_removes_the_rest() -> None:
    image_stores.give(cluster("one"), [FIRST, SECOND])
    before = layers(image_stores.containerd_root(cluster("one")))
    image_stores.give(cluster("two"), [SECOND, THIRD])
    after = layers(image_stores.containerd_root(cluster("two")))
    assert set(after) == {SECOND, THIRD}
    assert after[SECOND] == before[SECOND]
    assert len([path for path in image_stores.home().iterdir() if path.is_dir()]) == 1


def test_a_cluster_that_ran_before_is_left_alone() -> None:
    root = image_stores.containerd_root(cluster("one"))
    root.mkdir(parents=True)
    image_stores.give(cluster("one"), [FIRST])
    assert not list(root.iterdir())
