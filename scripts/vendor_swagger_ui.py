"""Takes the files of Swagger UI that the gateway's `/docs` needs out of its npm package, into the runtime's package.

    scripts/vendor_swagger_ui.py   writes agent-runtime/slipway_runtime/gateway/docs_page/swagger-ui*

npm itself fetches the package, from the registry that your machine is configured for, and checks it. Nothing of the
package is run. Large files are stored compressed, as they are served.
"""

import gzip
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "swagger-ui-dist"
VERSION = "5.35.0"
FOLDER = Path(__file__).parents[1] / "agent-runtime" / "slipway_runtime" / "gateway" / "docs_page"
COMPRESSED = ("swagger-ui-bundle.js", "swagger-ui.css")
KEPT = {
    "LICENSE": "swagger-ui.LICENSE.txt",
    "NOTICE": "swagger-ui.NOTICE.txt",
    "swagger-ui-bundle.js.LICENSE.txt": "swagger-ui-bundle.js.LICENSE.txt",
}
RECORD = FOLDER / "swagger-ui.json"


def fetch(folder: Path) -> Path:
    """The package as npm gives it."""
    command = ["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", str(folder), f"{PACKAGE}@{VERSION}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)
    return folder / f"{PACKAGE}-{VERSION}.tgz"


def files(package: Path) -> dict[str, bytes]:
    """What is kept of the package, by the names under which it is stored."""
    found: dict[str, bytes] = {}
    with tarfile.open(package) as archive:
        for name in (*COMPRESSED, *KEPT):
            member = archive.extractfile(f"package/{name}")
            assert member is not None
            content = member.read()
            if name in COMPRESSED:
                found[f"{name}.gz"] = gzip.compress(content, compresslevel=9, mtime=0)
            else:
                found[KEPT[name]] = content
    return found


def main() -> int:
    """Write the files and a record of them."""
    with tempfile.TemporaryDirectory() as folder:
        written = files(fetch(Path(folder)))
    for name, content in written.items():
        (FOLDER / name).write_bytes(content)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(written.items())}
    RECORD.write_text(json.dumps({"package": PACKAGE, "version": VERSION, "sha256": hashes}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
