"""The small images that are written without an image tool."""

import json
import tarfile
from pathlib import Path

import pytest

from devcluster.archives import Image, references, write_archive
from devcluster.errors import DevclusterError


@pytest.fixture
def image(tmp_path: Path) -> Image:
    program = tmp_path / "program"
    program.write_bytes(b"#!/bin/busybox sh\n")
    return Image("slipway.local/x:1", {"/bin/x": program}, ["/bin/x"], links={"/bin/y": "x"}, folders=("/bin",))


def test_an_archive_names_its_image_and_is_the_same_each_time(tmp_path: Path, image: Image) -> None:
    first, second = tmp_path / "1.tar", tmp_path / "2.tar"
    write_archive(image, first)
    write_archive(image, second)
    assert first.read_bytes() == second.read_bytes()
    assert list(references(first)) == ["slipway.local/x:1"]


def test_the_digest_follows_the_content(tmp_path: Path, image: Image) -> None:
    archive = tmp_path / "1.tar"
    write_archive(image, archive)
    before = references(archive)
    image.programs["/bin/x"].write_bytes(b"another")
    write_archive(image, archive)
    assert references(archive) != before


def test_the_layer_holds_programs_links_and_a_folder_for_everybody(tmp_path: Path, image: Image) -> None:
    archive = tmp_path / "1.tar"
    write_archive(image, archive)
    with tarfile.open(archive) as tar:

        def blob(digest: str) -> Path:
            tar.extract(f"blobs/sha256/{digest.removeprefix('sha256:')}", tmp_path, filter="data")
            return tmp_path / "blobs" / "sha256" / digest.removeprefix("sha256:")

        manifest = json.loads(blob(references(archive)["slipway.local/x:1"]).read_text())
        config = json.loads(blob(manifest["config"]["digest"]).read_text())
        with tarfile.open(blob(manifest["layers"][0]["digest"])) as layer:
            entries = {entry.name: entry for entry in layer}
    assert config["config"]["Entrypoint"] == ["/bin/x"]
    assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]
    assert entries["bin/x"].mode == 0o755
    assert entries["bin/y"].linkname == "x"
    assert entries["tmp"].mode == 0o1777


@pytest.mark.parametrize("content", [b"not a tar", b""])
def test_other_files_are_refused_with_how_to_write_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(content)
    with pytest.raises(DevclusterError, match=r"is no OCI archive.*buildah push NAME oci-archive:"):
        references(path)


def test_an_archive_without_a_name_is_refused(tmp_path: Path, image: Image) -> None:
    path, index = tmp_path / "x.tar", tmp_path / "index.json"
    index.write_text(json.dumps({"manifests": [{"digest": "sha256:00"}]}))
    with tarfile.open(path, "w") as tar:
        tar.add(index, "index.json")
    with pytest.raises(DevclusterError, match="names no image"):
        references(path)
