"""Handing this machine's package index and certificate authorities to a build, without leaving them in the image.

Both travel as build secrets: files that are there while pip runs and in no layer.
"""

import os
from pathlib import Path

from devcluster.commands import run
from devcluster.files import write

SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout", "retries")
"""What of pip's settings makes sense in another file system."""
_BUNDLE_VARIABLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
_SYSTEM_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


def secrets(pip: Path, folder: Path) -> dict[str, Path]:
    """Name -> file of the build secrets, written into `folder`. `pip` is the pip whose settings are taken over."""
    bundle = ca_bundle()
    config = folder / "pip.conf"
    write(config, pip_config(run([str(pip), "config", "list"]), certificates=bundle is not None))
    return {"pip.conf": config, **({"ca-bundle": bundle} if bundle else {})}


def pip_config(listing: str, *, certificates: bool) -> str:
    """A pip.conf from the output of `pip config list`, whose lines read `global.index-url='...'`."""
    lines = ["[global]"]
    for entry in listing.splitlines():
        key, _, value = entry.partition("=")
        name = key.rpartition(".")[2]
        if name in SETTINGS:
            lines.append(f"{name} = {value.strip().strip(chr(39))}")
    if certificates:
        lines.append("cert = /run/secrets/ca-bundle")
    return "\n".join(lines) + "\n"


def ca_bundle() -> Path | None:
    """The certificate authorities that this machine trusts, as one file."""
    named = (Path(os.environ[name]) for name in _BUNDLE_VARIABLES if os.environ.get(name))
    return next((path for path in (*named, _SYSTEM_BUNDLE) if path.is_file()), None)
