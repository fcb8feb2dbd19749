"""The images' SBOMs, next to their archives, as `make images` writes them."""

import json
from pathlib import Path

from scripts.audit.reports import AuditFinding, AuditReport, NotDone, Outcome
from slipway_demo import images

SCAN = "SBOM of each image (syft)"


def of_images(folder: Path, *, root: Path) -> Outcome:
    """Whether each image has an archive, and an SBOM that names packages; NotDone where no images were written."""
    if not any(folder.glob("*.oci.tar")):
        return NotDone(SCAN, f"no images in {folder.relative_to(root)}", "make images, then make audit again")
    found, components = [], 0
    for name in (image.name for image in images.ALL):
        if not (folder / f"{name}.oci.tar").is_file():
            found.append(
                AuditFinding("no-image", f"{name}.oci.tar", 0, f"the image {name} was not written: make images")
            )
            continue
        sbom = folder / f"{name}.cdx.json"
        count = len(json.loads(sbom.read_text()).get("components") or []) if sbom.is_file() else 0
        components += count
        if not count:
            found.append(
                AuditFinding(
                    "no-sbom", sbom.name, 0, f"the image {name} has no SBOM, or one without parts: make images"
                )
            )
    return AuditReport(SCAN, f"{len(images.ALL)} images, {components} parts", tuple(found))
