"""The scanners of `make audit`, where they are installed."""

import hashlib
from pathlib import Path

from scripts.audit.tools import Tools
from slipway_demo.paths import ROOT, cache_home


def tools() -> Tools | None:
    """The environment that the Makefile makes from requirements/audit.txt; None when it was not made yet."""
    digest = hashlib.sha256((ROOT / "requirements" / "audit.txt").read_bytes()).hexdigest()[:16]
    folder: Path = cache_home() / f"audit-{digest}"
    return Tools(folder / "bin") if (folder / ".installed").is_file() else None
