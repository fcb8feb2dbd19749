"""Which images there are, and what their tags are made of.

A tag is the hash of everything that goes into an image, so the same sources never build twice and a changed image never
hides behind an old tag.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

REGISTRY = "slipway.local"
"""Where images are said to come from when there is no registry; nothing is ever pulled from there."""

OF_ALL = ("Dockerfile", ".dockerignore", "images/trim.py")
"""Files of the repository that go into every image."""


@dataclass(frozen=True)
class ImageTarget:
    """One target of the Dockerfile."""

    name: str
    inputs: tuple[str, ...]
    """Files and folders of the repository that the target copies, besides those of all."""
    model: bool = False
    """Whether the embedding model is inside."""


IMAGES = (
    ImageTarget(
        "runtime",
        ("images/slipway", "requirements/runtime.txt", "crds/slipway_crds", "agent-runtime/slipway_runtime"),
        model=True,
    ),
    ImageTarget(
        "operator",
        ("images/slipway-operator", "requirements/operator.txt", "crds/slipway_crds", "operator/slipway_operator"),
    ),
    ImageTarget("chroma", ("images/chroma", "requirements/chroma.txt")),
    ImageTarget("postgres", ("images/postgres", "requirements/postgres.txt")),
)
"""What the chart installs."""
STANDALONE = ImageTarget(
    "standalone",
    ("images/slipway", "requirements/standalone.txt", "crds/slipway_crds", "agent-runtime/slipway_runtime"),
    model=True,
)
"""What serves manifests where there is no cluster."""
ALL = (*IMAGES, STANDALONE)


def tag(image: ImageTarget, *, root: Path, model: Path, base: str) -> str:
    """Twelve hexadecimal digits that change when anything in the image does.

    `base` identifies the base image; `model` is the folder of the embedding model.
    """
    digest = hashlib.sha256(base.encode())
    inputs = [root / name for name in (*OF_ALL, *image.inputs)]
    if image.model:
        inputs.append(model / "digest.json")
    for path in files(inputs):
        digest.update(f"\0{path.name}\0{path.stat().st_mode & 0o111}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def files(paths: Iterable[Path]) -> Iterable[Path]:
    """The files among and below the paths, in a stable order, without bytecode."""
    for path in paths:
        below = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (file for file in below if file.is_file() and "__pycache__" not in file.parts)
