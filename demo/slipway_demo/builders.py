"""Building images with what the machine has: a docker daemon, or buildah, which needs none."""

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from devcluster import base_image
from devcluster.commands import run, succeeds
from devcluster.files import locked
from devcluster.progress import say, step
from slipway_demo import labels, paths
from slipway_demo.errors import DemoError
from slipway_demo.images import IMAGES, REGISTRY, ImageTarget, tag
from slipway_demo.package_index import secrets


class Builder(Protocol):
    """Something that builds targets of the Dockerfile."""

    def base(self) -> tuple[str, str]:
        """Reference of the base image, made if need be, and what identifies its content."""

    def size(self, reference: str) -> str | None:
        """Size of an image on disk, for people; None when it is not there."""

    def build(self, image: ImageTarget, reference: str, *, base: str) -> None:
        """Build one target. Raises DevclusterError with the end of the log when that fails."""

    def push(self, reference: str, destination: str) -> str:
        """Copy an image into a registry; returns the digest that it has there."""

    def save(self, reference: str, archive: Path) -> None:
        """Write an image as an OCI archive."""

    def sign_in(self, host: str, user: str, password: str) -> None:
        """Remember a registry's credentials."""


class Buildah:
    """Daemonless builds as root; images land in buildah's own store, where `devcluster load-image` finds them."""

    def base(self) -> tuple[str, str]:
        name = base_image.ensure()
        listed = json.loads(run(["buildah", "images", "--json", name]))
        return name, str(listed[0]["digest"])

    def size(self, reference: str) -> str | None:
        if not succeeds(["buildah", "inspect", "--type", "image", reference]):
            return None
        # A line for each name that the image has.
        return run(["buildah", "images", "--format", "{{.Size}}", reference]).splitlines()[0]

    def build(self, image: ImageTarget, reference: str, *, base: str) -> None:
        command = ["buildah", "bud", "--layers", "--network=host", f"--build-arg=BASE_IMAGE={base}"]
        run([*command, *_common_options(image, reference), str(paths.ROOT)], env=_buildah_environment())

    def push(self, reference: str, destination: str) -> str:
        # What need not leave this machine is compressed in the quickest way (buildah pushes nothing uncompressed).
        plain = ["--tls-verify=false", "--compression-format=zstd"] if is_loopback(destination) else []
        env = _buildah_environment()
        with tempfile.NamedTemporaryFile("r") as digest:
            options = ["--quiet", f"--digestfile={digest.name}", *plain]
            run(["buildah", "push", *options, reference, f"docker://{destination}"], env=env)
            return Path(digest.name).read_text().strip()

    def save(self, reference: str, archive: Path) -> None:
        archive.unlink(missing_ok=True)  # it would be added to
        run(["buildah", "push", "--quiet", reference, f"oci-archive:{archive}:{reference}"], env=_buildah_environment())

    def sign_in(self, host: str, user: str, password: str) -> None:
        run(["buildah", "login", f"--username={user}", "--password-stdin", host], stdin=password)


class Docker:
    """Builds by a docker daemon with BuildKit, on the public Python image."""

    def base(self) -> tuple[str, str]:
        name = public_base((paths.ROOT / "images" / "base" / "Dockerfile").read_text())
        return name, name

    def size(self, reference: str) -> str | None:
        if not succeeds(["docker", "image", "inspect", reference]):
            return None
        return f"{int(run(['docker', 'image', 'inspect', '--format', '{{.Size}}', reference])) / 1e6:.0f} MB"

    def build(self, image: ImageTarget, reference: str, *, base: str) -> None:
        env = {**os.environ, "DOCKER_BUILDKIT": "1"}
        command = ["docker", "build", f"--build-arg=BASE_IMAGE={base}"]
        run([*command, *_common_options(image, reference), str(paths.ROOT)], env=env)

    def push(self, reference: str, destination: str) -> str:
        run(["docker", "tag", reference, destination])
        run(["docker", "push", "--quiet", destination])
        digests = json.loads(run(["docker", "image", "inspect", "--format", "{{json .RepoDigests}}", destination]))
        repository = destination.rpartition(":")[0]
        return next(str(each).partition("@")[2] for each in digests if str(each).partition("@")[0] == repository)

    def save(self, reference: str, archive: Path) -> None:
        run(["docker", "save", f"--output={archive}", reference])  # an OCI archive from Docker 25 on

    def sign_in(self, host: str, user: str, password: str) -> None:
        run(["docker", "login", f"--username={user}", "--password-stdin", host], stdin=password)


def public_base(dockerfile: str) -> str:
    """The image that a Dockerfile of one line names.

    Raises DemoError when it names none by digest: a tag leads to another image on another day.
    """
    found = re.search(r"^FROM (\S+@sha256:[0-9a-f]{64})$", dockerfile, re.MULTILINE)
    if not found:
        raise DemoError("images/base/Dockerfile must name the base image by digest: FROM name:tag@sha256:64-hex-digits")
    return found[1]


def choose() -> Builder:
    """docker where its daemon answers, else buildah. Raises DemoError where there is neither."""
    if succeeds(["docker", "info"]):
        return Docker()
    if succeeds(["buildah", "--version"]):
        return Buildah()
    raise DemoError("images are built with docker or buildah, and neither is here: apt-get install buildah, as root")


def ensure(builder: Builder, images: Iterable[ImageTarget] = IMAGES) -> dict[str, str]:
    """Build those of the images that are missing; returns image name -> tag. Prints each one's size.

    Raises DemoError without the embedding model, and DevclusterError when a build fails.
    """
    if not (paths.model_dir() / "digest.json").is_file():
        raise DemoError("the embedding model is not built yet: make model")
    base, identity = builder.base()
    tags: dict[str, str] = {}
    for image in images:
        tags[image.name] = tag(image, root=paths.ROOT, model=paths.model_dir(), base=identity)
        reference = local_reference(image.name, tags[image.name])
        if builder.size(reference) is None:
            _build_once(builder, image, reference, base=base)
        say(f"image {reference}: {builder.size(reference)}")
    return tags


def _build_once(builder: Builder, image: ImageTarget, reference: str, *, base: str) -> None:
    with locked(paths.cache_home() / "images" / ".lock", f"building the image {image.name}"):
        if builder.size(reference) is not None:  # another command just built it
            return
        with step(f"building the image {image.name}"):
            builder.build(image, reference, base=base)


def local_reference(name: str, image_tag: str) -> str:
    """What an image is called on this machine."""
    return f"{REGISTRY}/{name}:{image_tag}"


def is_loopback(destination: str) -> bool:
    """Whether a registry is on this machine: those speak plain HTTP, by every container tool's convention."""
    return destination.partition("/")[0].partition(":")[0] in ("localhost", "127.0.0.1")


def _common_options(image: ImageTarget, reference: str) -> list[str]:
    """Options that docker and buildah share."""
    folder = paths.cache_home() / "images"
    files: Mapping[str, Path] = secrets(Path(sys.executable).with_name("pip"), folder)
    options = [f"--target={image.name}", f"--tag={reference}", f"--build-context=model={paths.model_dir()}"]
    options += [f"--label={key}={value}" for key, value in labels.of_build(os.environ).items()]
    return options + [f"--secret=id={name},src={path}" for name, path in files.items()]


def _buildah_environment() -> dict[str, str]:
    scratch = paths.cache_home() / "images" / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    return {**os.environ, "BUILDAH_ISOLATION": "chroot", "TMPDIR": str(scratch)}
