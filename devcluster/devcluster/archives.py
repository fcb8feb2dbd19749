"""Writes the small images that the cluster itself needs, without any image tool: one layer, as an OCI archive.

The same input always gives the same bytes, hence the same digest, so an image that the cluster has is not loaded twice.
Format: https://github.com/opencontainers/image-spec (image-layout.md, manifest.md, config.md).
"""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import DevclusterError

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""The kernel's names for what images call otherwise."""


@dataclass(frozen=True)
class Image:
    """A small image: files and links by absolute path, and what it runs."""

    reference: str
    programs: Mapping[str, Path]
    """Path in the image -> file on this machine."""
    entrypoint: Sequence[str] = ()
    links: Mapping[str, str] | None = None
    folders: Sequence[str] = ()


def write_archive(image: Image, target: Path) -> None:
    """Write the image as an OCI archive that `ctr images import` and `buildah pull oci-archive:` read."""
    layer = _layer(image)
    layer_digest = _digest(layer)
    config = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Entrypoint": list(image.entrypoint), "Env": ["PATH=/bin:/usr/bin"], "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
    }
    config_blob = _json(config)
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": _descriptor(_CONFIG, config_blob),
        "layers": [_descriptor(_LAYER, layer)],
    }
    manifest_blob = _json(manifest)
    entry = {
        **_descriptor(_MANIFEST, manifest_blob),
        "annotations": {"org.opencontainers.image.ref.name": image.reference},
    }
    blobs = {"oci-layout": _json({"imageLayoutVersion": "1.0.0"})}
    blobs["index.json"] = _json({"schemaVersion": 2, "manifests": [entry]})
    for blob in (config_blob, manifest_blob, layer):
        blobs[f"blobs/sha256/{_digest(blob).removeprefix('sha256:')}"] = blob
    target.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(target, "w") as archive:
        for name, blob in blobs.items():
            _add_file(archive, name, blob, mode=0o644)


def references(archive: Path) -> dict[str, str]:
    """Image names in an OCI archive -> digests of their manifests. Raises DevclusterError for any other file."""
    try:
        with tarfile.open(archive) as tar:
            file = tar.extractfile("index.json")
            index = json.load(file) if file else {}
    except (tarfile.TarError, KeyError, json.JSONDecodeError) as error:
        raise DevclusterError(
            f"{archive} is no OCI archive: write one with `buildah push NAME oci-archive:{archive}:NAME`"
        ) from error
    named = {
        manifest.get("annotations", {}).get("org.opencontainers.image.ref.name"): manifest["digest"]
        for manifest in index.get("manifests", [])
    }
    if not named or None in named:
        raise DevclusterError(f"{archive} names no image: write it with `buildah push NAME oci-archive:{archive}:NAME`")
    return named


def _layer(image: Image) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for folder in ("tmp", *(name.strip("/") for name in image.folders)):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(entry)
        for path, source in sorted(image.programs.items()):
            _add_file(tar, path.strip("/"), source.read_bytes(), mode=0o755)
        for path, destination in sorted((image.links or {}).items()):
            entry = tarfile.TarInfo(path.strip("/"))
            entry.type, entry.linkname = tarfile.SYMTYPE, destination
            tar.addfile(entry)
    return buffer.getvalue()


def _add_file(tar: tarfile.TarFile, name: str, content: bytes, *, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))


def _digest(blob: bytes) -> str:
    return "sha256:" + hashlib.sha256(blob).hexdigest()


def _descriptor(media_type: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(blob), "size": len(blob)}


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
