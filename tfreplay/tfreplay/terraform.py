"""Finds terraform, or builds it from its Go module where it is missing."""

import functools
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock

from devcluster.progress import step
from tfreplay.errors import ReplayError
from tfreplay.providers import cache_home

VERSION = "1.11.4"
"""What is built where terraform is missing. Its licence is BUSL-1.1: free to use, not to resell as a service."""
MODULE = "github.com/hashicorp/terraform"
COMMIT = "v0.0.0-20250409131005-35645b8fca68"
"""Go's name for the commit of that release."""
UNPUBLISHED = "v0.0.0-00010101000000-000000000000"
_BACK_ENDS = ("azure", "consul", "cos", "gcs", "kubernetes", "oss", "pg", "s3")
PARTS = (*(f"internal/backend/remote-state/{name}" for name in _BACK_ENDS), "internal/legacy")
OLDEST = (1, 11)
"""What the newest stack asks for; most modules need 1.9, from where on `validation` may look at other variables."""


@functools.cache
def executable() -> str:
    """Path of a terraform that is new enough. Raises ReplayError when there is none and Go cannot build one."""
    found = shutil.which("terraform")
    return found if found and version(found) >= OLDEST else str(_built())


def version(path: str) -> tuple[int, ...]:
    """Major and minor version of that executable, (0, 0) if it does not report one."""
    told = subprocess.run([path, "version", "-json"], capture_output=True, text=True, check=False)
    try:
        number = json.loads(told.stdout)["terraform_version"]
    except (ValueError, KeyError):
        return (0, 0)
    return tuple(int(part) for part in re.findall(r"\d+", number)[:2])


def go_mod() -> str:
    """A module of nothing but terraform: its own go.mod has `replace` lines, which `go install` refuses.

    They put parts of terraform that are modules themselves at a version that nobody published, so that one is
    excluded and the commit of the release taken.
    """
    parts = [f"{MODULE}/{name}" for name in PARTS]
    required = "".join(f"\t{part} {COMMIT}\n" for part in parts)
    excluded = "".join(f"\t{part} {UNPUBLISHED}\n" for part in [MODULE, *parts])
    return (
        f"module tfreplay/terraform\n\ngo 1.24.0\n\ntool {MODULE}\n\n"
        f"require (\n\t{MODULE} v{VERSION}\n{required})\n\nexclude (\n{excluded})\n"
    )


def _built() -> Path:
    home = cache_home() / f"terraform-{VERSION}"
    path = home / "terraform"
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / ".lock"):
        if not path.is_file():
            _build(path)
    return path


def _build(path: Path) -> None:
    if not shutil.which("go"):
        raise ReplayError(
            "terraform 1.11 or newer is missing, and so is Go to build it: "
            "install one of them (https://developer.hashicorp.com/terraform/install), then run this again"
        )
    unfinished = path.with_suffix(".new")
    flags = ["-trimpath", "-ldflags", f"-s -w -X {MODULE}/version.dev=no"]  # as its own releases are built
    commands = (["go", "mod", "tidy"], ["go", "build", *flags, "-o", str(unfinished), MODULE])
    with step(f"building terraform {VERSION} from its Go module (minutes, once)"), TemporaryDirectory() as folder:
        Path(folder, "go.mod").write_text(go_mod())
        for command in commands:
            environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                raise ReplayError(f"{' '.join(command)} failed; is a module proxy reachable?\n{done.stderr[-2000:]}")
    unfinished.replace(path)
