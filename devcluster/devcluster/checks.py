"""What this machine lacks to run a cluster, found out before anything is done."""

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from devcluster import cgroups
from devcluster.commands import run, succeeds
from devcluster.errors import DevclusterError
from devcluster.files import locked
from devcluster.progress import say, step
from devcluster.settings import cache_home

CNI_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
CNI_PLUGINS = ("bridge", "host-local", "loopback", "portmap")
MINIMUM_GO = (1, 26)
MINIMUM_FREE = 6 * 1024**3
"""Bytes: Go's build cache, the binaries, and some images."""

PACKAGES = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "mount": "mount",
    "busybox": "busybox-static",
    "buildah": "buildah",
    "mmdebstrap": "mmdebstrap",
}
"""Command -> the Debian package that has it."""
CNI_PACKAGE = "containernetworking-plugins"
MODULES: dict[str, Callable[[], bool]] = {
    "overlay": lambda: "overlay" in Path("/proc/filesystems").read_text().split(),
    "br_netfilter": lambda: Path("/proc/sys/net/bridge").is_dir(),
}
"""Kernel module -> how to see that it works, which also holds where it is built in."""


@dataclass(frozen=True)
class Machine:
    """What was found on this machine."""

    root: bool
    commands: frozenset[str]
    """Those of PACKAGES that are there."""
    cni: bool
    go: tuple[int, int] | None
    cgroups: bool
    namespaces: bool
    """Whether network and mount namespaces can be made."""
    modules: frozenset[str]
    """Those of MODULES that the kernel has, loaded or built in."""
    free: int
    """Bytes free where binaries and clusters are kept."""
    apt: bool


@dataclass(frozen=True)
class Lack:
    """Something that is missing, and what to do about it."""

    what: str
    remedy: str
    package: str = ""
    """Debian package that would bring it."""
    module: str = ""
    """Kernel module that would bring it."""


def cni_folder() -> Path | None:
    """The folder with the plugins that make pods' network interfaces."""
    return next((path for path in CNI_FOLDERS if all((path / plugin).exists() for plugin in CNI_PLUGINS)), None)


def look_around() -> Machine:
    """Examine this machine; changes nothing."""
    home = next(path for path in (cache_home(), *cache_home().parents) if path.exists())
    return Machine(
        root=os.geteuid() == 0,
        commands=frozenset(name for name in PACKAGES if shutil.which(name)),
        cni=cni_folder() is not None,
        go=parse_go_version(run(["go", "version"]) if shutil.which("go") else ""),
        cgroups=cgroups.parse_mounts(Path("/proc/self/mounts").read_text()) is not None,
        namespaces=succeeds(["unshare", "--net", "--mount", "true"]),
        modules=frozenset(name for name, present in MODULES.items() if present()),
        free=shutil.disk_usage(home).free,
        apt=shutil.which("apt-get") is not None,
    )


def parse_go_version(text: str) -> tuple[int, int] | None:
    """(1, 26) from "go version go1.26.8 linux/amd64"; None when Go is not there."""
    match = re.search(r"go(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else None


def lacks(machine: Machine) -> list[Lack]:
    """Everything that keeps a cluster from running here, in the order a person would fix it."""
    return [*_lacks_of_system(machine), *_lacks_of_go(machine.go), *_lacks_of_packages(machine)]


def _lacks_of_system(machine: Machine) -> list[Lack]:
    gib = machine.free / 1024**3
    desired = (
        (machine.root, "root", "run it as root: it makes namespaces, control groups and mounts"),
        (machine.cgroups, "control groups", "mount them in /sys/fs/cgroup (version 2, or 1 with memory, cpu and pids)"),
        (
            machine.namespaces or not machine.root,
            "namespaces",
            "`unshare --net --mount true` must work: in a container, run it privileged",
        ),
        (
            machine.free >= MINIMUM_FREE,
            "disk space",
            f"free some: 6 GiB are needed below {cache_home()}, {gib:.1f} GiB are left",
        ),
    )
    modules = [
        Lack(f"kernel module {name}", f"modprobe {name}, or use a kernel that has it", module=name)
        for name in MODULES
        if name not in machine.modules
    ]
    return [*(Lack(what, remedy) for present, what, remedy in desired if not present), *modules]


def _lacks_of_go(version: tuple[int, int] | None) -> list[Lack]:
    desired = ".".join(map(str, MINIMUM_GO))
    if version is None:
        return [Lack("Go", f"install Go {desired} or newer from https://go.dev/dl and put it on the PATH")]
    if version < MINIMUM_GO:
        have = ".".join(map(str, version))
        return [Lack(f"Go {desired}", f"Go {have} is too old: install a newer one from https://go.dev/dl")]
    return []


def _lacks_of_packages(machine: Machine) -> list[Lack]:
    found = [
        Lack(f"command {command}", f"apt-get install {package}", package)
        for command, package in PACKAGES.items()
        if command not in machine.commands
    ]
    return found if machine.cni else [*found, Lack("network plugins", f"apt-get install {CNI_PACKAGE}", CNI_PACKAGE)]


def ensure(*, install: bool) -> None:
    """Make sure that a cluster can run here, installing packages and loading modules where that is all it takes.

    Raises DevclusterError with the full list of what is missing otherwise.
    """
    machine = look_around()
    missing = lacks(machine)
    if missing and install and machine.root and machine.apt and all(lack.package or lack.module for lack in missing):
        with locked(cache_home() / ".install.lock", "installing packages"):
            fix(lacks(look_around()))  # the command that was waited for may have brought everything
        missing = lacks(look_around())
    if missing:
        raise DevclusterError(describe(missing))


def describe(missing: list[Lack]) -> str:
    """The list of what is missing, for people."""
    lines = [f"  {lack.what}: {lack.remedy}" for lack in missing]
    packages = sorted({lack.package for lack in missing if lack.package})
    if packages:
        lines.append(f"  (all packages at once: apt-get install --no-install-recommends {' '.join(packages)})")
    return "\n".join(["this machine lacks:", *lines])


def require_root() -> None:
    """Raise DevclusterError unless we may touch the processes and folders of clusters."""
    if os.geteuid() != 0:
        raise DevclusterError("run it as root: clusters belong to root")


def fix(missing: list[Lack]) -> None:
    """Load the kernel modules and install the packages that are missing."""
    for module in (lack.module for lack in missing if lack.module):
        succeeds(["modprobe", module])  # whether it helped is seen by looking again
    if packages := sorted({lack.package for lack in missing if lack.package}):
        install_packages(packages)


def install_packages(packages: list[str]) -> None:
    """Install Debian packages. Raises DevclusterError when apt-get fails."""
    say(f"installing Debian packages: {' '.join(packages)}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with step("apt-get update"):
        run(["apt-get", "update", "-q"], env=env)
    with step("apt-get install"):
        run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages], env=env)
