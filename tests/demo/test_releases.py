"""What leaves this machine has its digest and SBOM next to it, and nobody signs in by halves."""

import json
import tarfile
import tempfile
from pathlib import Path

import pytest

from devcluster.archives import Image as SmallImage
from devcluster.archives import write_archive
from slipway_demo import builders, labels, releases
from slipway_demo.errors import DemoError
from slipway_demo.images import ImageTarget
from tests.support.scanners import tools

DIGEST = "sha256:" + "0" * 64


class Registry:
    """A builder whose registry takes everything, and remembers in which order."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def base(self) -> tuple[str, str]:
        return "base", "sha256:base"

    def size(self, reference: str) -> str | None:
        return f"the size of {reference}"

    def build(self, image: ImageTarget, reference: str, *, base: str) -> None:
        raise AssertionError("every image is there")

    def push(self, reference: str, destination: str) -> str:
        self.calls.append(destination)
        return DIGEST

    def save(self, reference: str, archive: Path) -> None:
        write_archive(SmallImage(reference, {}, ("/nothing",)), archive)
        with tempfile.TemporaryDirectory() as folder:  # with entries for folders, which syft wants
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")
            with tarfile.open(archive, "w") as tar:
                for entry in Path(folder).iterdir():
                    tar.add(entry, entry.name)

    def sign_in(self, host: str, user: str, password: str) -> None:
        self.calls.append(f"{user}@{host}")


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setattr(builders, "ensure", lambda _, images: {"runtime": "abc", "operator": "def"})
    return Registry()


def test_images_are_pushed_after_signing_in_and_their_digests_are_written(builder: Registry, tmp_path: Path) -> None:
    environment = {"REGISTRY_USER": "ci", "REGISTRY_PASSWORD": "secret"}
    releases.publish_images(builder, "ghcr.io/slipway", "1.2.3", tmp_path, environment)
    assert builder.calls == ["ci@ghcr.io", "ghcr.io/slipway/runtime:1.2.3", "ghcr.io/slipway/operator:1.2.3"]
    written = json.loads((tmp_path / "digests.json").read_text())
    assert written["runtime"] == {"image": "ghcr.io/slipway/runtime", "tag": "1.2.3", "digest": DIGEST}


def test_who_is_signed_in_already_is_not_asked(builder: Registry, tmp_path: Path) -> None:
    releases.publish_images(builder, "ghcr.io/slipway", "1.2.3", tmp_path, {})
    assert builder.calls[0] == "ghcr.io/slipway/runtime:1.2.3"


@pytest.mark.parametrize("half", [{"REGISTRY_USER": "ci"}, {"REGISTRY_PASSWORD": "secret"}])
def test_half_of_the_credentials_is_a_mistake(half: dict[str, str]) -> None:
    with pytest.raises(DemoError, match="both REGISTRY_USER and REGISTRY_PASSWORD"):
        releases.credentials(half)


def test_an_archive_has_its_sbom_and_its_digest_beside_it(builder: Registry, tmp_path: Path) -> None:
    found = tools()
    if found is None:
        pytest.skip("syft is not installed: `make audit` installs it")
    releases.write_archives(builder, tmp_path, syft=Path(found.path("syft")))
    sbom = json.loads((tmp_path / "runtime.cdx.json").read_text())
    assert sbom["bomFormat"] == "CycloneDX"
    assert sbom["metadata"]["component"]["name"] == "slipway-runtime"
    assert sbom["metadata"]["component"]["version"] == "abc"
    digests = json.loads((tmp_path / "digests.json").read_text())
    assert digests["runtime"] == {"tag": "abc", "digest": releases.only_digest(tmp_path / "runtime.oci.tar")}


def test_the_source_is_said_by_whoever_builds_and_never_taken_from_git() -> None:
    assert labels.PREFIX + "source" not in labels.of_build({})
    said = labels.of_build({"IMAGE_SOURCE": "https://example.com/slipway"})
    assert said[labels.PREFIX + "source"] == "https://example.com/slipway"
    assert said[labels.PREFIX + "version"]


HELM = """#!/bin/sh
# Does what helm does as far as it is asked here, and says the digest where helm 3 does.
[ "$1" = package ] && touch "${5#--destination=}/slipway-1.2.3.tgz"
[ "$1" = push ] && echo "$@" > "$(dirname "$0")/pushed" && echo "%s" >&2
exit 0
"""


def helm(folder: Path, says: str) -> str:
    program = folder / "helm"
    program.write_text(HELM % says)
    program.chmod(0o755)
    return str(program)


def test_the_chart_is_pushed_and_its_digest_is_written(tmp_path: Path) -> None:
    releases.publish_chart(helm(tmp_path, f"Digest: {DIGEST}"), "127.0.0.1:5000/slipway", "1.2.3", tmp_path, {})
    assert (tmp_path / "pushed").read_text().split()[2:] == ["oci://127.0.0.1:5000/slipway/charts", "--plain-http"]
    written = json.loads((tmp_path / "chart.json").read_text())
    assert written["chart"] == {"image": "127.0.0.1:5000/slipway/charts/slipway", "tag": "1.2.3", "digest": DIGEST}


def test_a_push_without_a_digest_is_an_error_because_nothing_could_be_signed(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="did not say its digest"):
        releases.publish_chart(helm(tmp_path, "Pushed"), "ghcr.io/slipway", "1.2.3", tmp_path, {})
    assert not (tmp_path / "chart.json").exists()


def test_every_image_leaves_this_machine_the_one_for_a_single_container_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(builders, "ensure", lambda _, images: {image.name: "abc" for image in images})
    releases.publish_images(Registry(), "ghcr.io/slipway", "1.2.3", tmp_path, {})
    published = json.loads((tmp_path / "digests.json").read_text())
    assert sorted(published) == ["chroma", "operator", "postgres", "runtime", "standalone"]
