"""The cluster's control groups: how all of its processes are found again, whatever happened to the records of them.

Every component is started inside the cluster's cgroup, and the kubelet makes the pods' below it, so membership tells
exactly what belongs to a cluster. Both layouts are handled: one unified hierarchy (version 2), or one hierarchy a
controller (version 1), where the "pids" one is used for finding.
"""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import DevclusterError

COMPONENTS = "components"
"""Name of the child group that holds the components; the kubelet's groups for pods are its siblings."""


@dataclass(frozen=True)
class Hierarchies:
    """Where the control groups are mounted."""

    unified: bool
    mounts: tuple[Path, ...]
    """Mount points; exactly one when unified. The first one is used for finding processes."""


def parse_mounts(mounts: str) -> Hierarchies | None:
    """Read /proc/self/mounts. None when no control groups that the kubelet could use are mounted."""
    legacy: dict[str, Path] = {}
    unified: Path | None = None
    for line in mounts.splitlines():
        _, target, kind, options = line.split()[:4]
        if kind == "cgroup2":
            unified = Path(target)
        elif kind == "cgroup":
            for option in options.split(","):
                legacy.setdefault(option, Path(target))
    if {"memory", "cpu", "pids"} <= legacy.keys():
        names = ["pids", "cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "name=systemd", "hugetlb"]
        return Hierarchies(False, tuple(dict.fromkeys(legacy[name] for name in names if name in legacy)))
    return Hierarchies(True, (unified,)) if unified else None


def hierarchies() -> Hierarchies:
    """The mounted control groups of this machine. Raises DevclusterError when there are none."""
    found = parse_mounts(Path("/proc/self/mounts").read_text())
    if found is None:
        raise DevclusterError("no control groups are mounted under /sys/fs/cgroup: mount them, or use another machine")
    return found


def create(path: str) -> list[Path]:
    """Make the cluster's group `path` with its child for components; returns that child's folder in each hierarchy."""
    layout = hierarchies()
    folders = []
    for mount in layout.mounts:
        folder = mount
        for part in Path(path, COMPONENTS).parts:
            if layout.unified:
                _delegate(folder)
            folder = folder / part
            folder.mkdir(exist_ok=True)
            _inherit_cpuset(folder)
        folders.append(folder)
    return folders


def _delegate(folder: Path) -> None:
    """Version 2: let the children of a group use every controller that the group has."""
    available = (folder / "cgroup.controllers").read_text().split()
    (folder / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in available))


def _inherit_cpuset(folder: Path) -> None:
    """Version 1: a new cpuset group is empty, and no process can enter it until it has CPUs and memory nodes."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        file = folder / name
        if file.is_file() and not file.read_text().strip() and (folder.parent / name).is_file():
            file.write_text((folder.parent / name).read_text())


def members(path: str) -> set[int]:
    """Process ids in the group and in all groups below it."""
    pids: set[int] = set()
    for folder, _, _ in os.walk(hierarchies().mounts[0] / path):
        try:
            pids.update(int(pid) for pid in Path(folder, "cgroup.procs").read_text().split())
        except FileNotFoundError:
            continue  # the group ended while we looked, and its processes with it
    return pids


def kill(path: str, *, deadline_s: float = 30.0) -> None:
    """Kill every process of the group and of all below it; returns once none is left.

    Raises DevclusterError when some survive the deadline (stuck in the kernel, on a dead disk for example).
    """
    until = time.monotonic() + deadline_s
    while pids := members(path):
        if time.monotonic() > until:
            raise DevclusterError(
                f"these processes could not be killed: {sorted(pids)}; see `ps -o pid,stat,wchan,cmd`"
            )
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue  # ended by itself meanwhile
        time.sleep(0.05)


def remove(path: str) -> None:
    """Remove the group and all below it, in every hierarchy. The processes must be gone."""
    for mount in hierarchies().mounts:
        for folder, _, _ in os.walk(mount / path, topdown=False):
            os.rmdir(folder)
