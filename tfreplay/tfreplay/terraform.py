"""Finds terraform, or builds it from its Go module where it is missing."""

import functools
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from filelock import FileLock

from tfreplay.errors import ReplayError
from tfreplay.progress import step
from tfreplay.providers import cache_home

VERSION = "1.11.4"
"""What is built where terraform is missing. Its licence is BUSL-1.1: free to use, not to resell as a service."""
OLDEST = (1, 11)
"""What the newest stack asks for; most modules need 1.9, from where on `validation` may look at other variables."""


@functools.cache
def executable() -> str:
    """Path of a terraform that is new enough. Raises ReplayError when there is none and Go cannot build one."""
    found = shutil.which("terraform")
    return found if found and version(found) >= OLDEST else str(_built())


def version(path: str) -> tuple[int, ...]:
    """Major and minor version of that executable, (0, 0) if it does not tell."""
    told = subprocess.run([path, "version", "-json"], capture_output=True, text=True, check=False)
    try:
        number = json.loads(told.stdout)["terraform_version"]
    except (ValueError, KeyError):
        return (0, 0)
    return tuple(int(part) for part in re.findall(r"\d+", number)[:2])


def _built() -> Path:
    home = cache_home() / f"terraform-{VERSION}"
    path = home / "terraform"
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / ".lock"):
        if not path.is_file():
            _build(home)
    return path


def _build(home: Path) -> None:
    if not shutil.which("go"):
        raise ReplayError(
            "terraform 1.11 or newer is missing, and so is Go to build it: "
            "install one of them (https://developer.hashicorp.com/terraform/install), then run this again"
        )
    command = ["go", "install", "-trimpath", f"github.com/hashicorp/terraform@v{VERSION}"]
    with step(f"building terraform {VERSION} from its Go module (minutes, once)"):
        done = subprocess.run(
            command,
            env={**os.environ, "GOBIN": str(home), "CGO_ENABLED": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise ReplayError(f"go could not build terraform; is a module proxy reachable?\n{done.stderr}")
