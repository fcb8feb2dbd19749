"""Where the packages of each lock in requirements/ are installed, so that their own metadata can be read."""

import hashlib
import importlib.metadata
import re
from collections.abc import Mapping
from importlib.metadata import Distribution
from pathlib import Path

from slipway_demo.paths import cache_home

OWN = {"audit": "make audit", "ragas": "make ragas", "scanners": "make scan-terraform", "semgrep": "make semgrep"}
"""Locks with an environment of their own, and the command that makes it. All others are in the working copy's."""
UNPACKED = "model"
"""The lock of a wheel that is never installed: a file is taken out of it."""


def of_lock(lock: Path) -> Path | None:
    """The environment that the Makefile makes from one of those locks; None where it is not complete."""
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    folder: Path = cache_home() / f"{lock.stem}-{digest}"
    return folder if (folder / ".installed").is_file() else None


def installed(environment: Path | None = None) -> Mapping[str, Distribution]:
    """Packages by their normal name: of an environment, or of the one that runs this program."""
    folders = [str(path) for path in (environment or Path()).glob("lib/python3*/site-packages")]
    found = importlib.metadata.distributions(path=folders) if environment else importlib.metadata.distributions()
    return {normal(each.metadata["Name"]): each for each in found}


def normal(name: str) -> str:
    """A package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
