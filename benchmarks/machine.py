"""The machine that is measured on, and whether it is quiet enough to measure."""

import asyncio
import os
import platform
import re
import subprocess
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.figures import BenchmarkReport, Figure
from benchmarks.reports import ROOT

QUIET = 1.5
"""Load average below which figures are worth something on two cores."""
POLL_SECONDS = 2.0


def describe() -> str:
    """Processor, cores, memory and kernel in a few words."""
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    name = model[1] if model else platform.machine()
    return f"{os.cpu_count()} cores of {name}, {memory:.0f} GiB, Linux {platform.release()}"


def commit() -> str:
    """The working copy's commit."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if changed else "")


def load() -> float:
    """The load average of the last minute."""
    return os.getloadavg()[0]


async def quiet(seconds: float) -> float:
    """Wait for others to be done, at most so long; returns the load that is left."""
    deadline = time.monotonic() + seconds
    while load() >= QUIET and time.monotonic() < deadline:  # noqa: ASYNC110 (nothing wakes us when others are done)
        await asyncio.sleep(POLL_SECONDS)
    return load()


def report(
    benchmark: str,
    figures: list[Figure],
    *,
    load_before: float,
    reduced: bool,
    packages: tuple[str, ...] = (),
    versions: dict[str, str] | None = None,
    notes: list[str] | None = None,
) -> BenchmarkReport:
    """Figures with the circumstances. `packages` are Python packages whose versions matter."""
    busy = [f"The machine was busy with other work (load {load_before:.1f}): times are too high."]
    return BenchmarkReport(
        benchmark=benchmark,
        taken=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        commit=commit(),
        machine=describe(),
        load=round(load_before, 2),
        versions={
            "Python": platform.python_version(),
            **{package: version(package) for package in packages},
            **(versions or {}),
        },
        reduced=reduced,
        figures=figures,
        notes=[*(notes or []), *(busy if load_before >= QUIET else [])],
    )
