"""The images' SBOMs beside their archives, as `make images` writes them."""

import json
from pathlib import Path

from scripts.audit.reports import Finding, NotDone, Outcome, Report

SCAN = "SBOM of each image (syft)"


def of_images(folder: Path, *, root: Path) -> Outcome:
    """Whether each image's archive has an SBOM that names packages; NotDone where no images were written."""
    archives = sorted(folder.glob("*.oci.tar"))
    if not archives:
        return NotDone(SCAN, f"no images in {folder.relative_to(root)}", "make images, then make audit again")
    found, components = [], 0
    for archive in archives:
        name = archive.name.removesuffix(".oci.tar")
        sbom = folder / f"{name}.cdx.json"
        count = len(json.loads(sbom.read_text()).get("components") or []) if sbom.is_file() else 0
        components += count
        if not count:
            found.append(
                Finding("no-sbom", sbom.name, 0, f"the image {name} has no SBOM, or one without parts: make images")
            )
    return Report(SCAN, f"{len(archives)} images, {components} parts", tuple(found))
