"""Removes from a Debian tree what no container of Slipway runs: `python3 trim.py /`, in a stage of the Dockerfile.

What stays is the packages below with everything that they depend on, and Python, from a package or from /usr/local.
apt, dpkg, perl, pip, shells for people and every program with setuid or setgid bits go: what is not there cannot be
used by somebody who breaks in, and needs no security update. dpkg's records of what stays are kept as data, because
SBOMs and scanners read them.
"""

import contextlib
import os
import re
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

NEEDED = frozenset(
    [
        *("base-files", "ca-certificates", "coreutils", "dash", "grep", "netbase", "python3", "sed", "tzdata"),
        "libc-bin",  # has `locale`, which initdb asks
        "libstdc++6",  # for ONNX Runtime
        # What the Python of the public image is linked to, which is built from source and so depends on no package.
        *("libbz2-1.0", "libdb5.3", "libexpat1", "libffi8", "libgdbm6", "libgdbm-compat4", "liblzma5", "libncursesw6"),
        *("libnsl2", "libreadline8", "libsqlite3-0", "libssl3", "libuuid1", "zlib1g"),
    ]
)
REFUSED = frozenset(["apt", "debconf", "debianutils", "dpkg", "mawk", "perl-base", "tar"])
"""Named as dependencies by packages that stay, for their installation or for commands that nothing here calls."""
SCRIPTS = (".preinst", ".postinst", ".prerm", ".postrm", ".triggers", ".config", ".templates", ".symbols", ".shlibs")
FOLDERS = ("etc/apt", "etc/alternatives", "var/lib/apt", "var/lib/dpkg/alternatives", "var/cache", "var/log")
"""Belong to no package, or hold what packages that are gone have written."""
PYTHON = (
    "usr/local/bin/pip*",
    "usr/local/bin/wheel*",
    "usr/lib/python3*/ensurepip",
    "usr/local/lib/python3*/ensurepip",
    *(
        f"usr/local/lib/python3*/site-packages/{name}*"
        for name in ("pip", "wheel", "setuptools", "pkg_resources", "_distutils_hack", "distutils-precedence")
    ),
)
"""Installers of packages: those of the public image's Python are in no package of Debian."""


def packages(status: str) -> dict[str, tuple[str, set[str]]]:
    """Name -> its entry in dpkg's status file, and the names of packages that it depends on."""
    found: dict[str, tuple[str, set[str]]] = {}
    for entry in re.split(r"\n\n+", status.strip()):
        fields = dict(re.findall(r"^(Package|Depends|Pre-Depends): (.*)$", entry, re.MULTILINE))
        needs = f"{fields.get('Depends', '')},{fields.get('Pre-Depends', '')}"
        found[fields["Package"]] = entry, set(re.findall(r"(?:^|[,|])\s*([a-z0-9][a-z0-9+.-]+)", needs))
    return found


def kept(known: dict[str, tuple[str, set[str]]]) -> set[str]:
    """Those that are needed, with what they depend on."""
    keep: set[str] = set()
    ahead = set(NEEDED)
    while ahead:
        name = ahead.pop()
        if name in known and name not in keep and name not in REFUSED:
            keep.add(name)
            ahead |= known[name][1]
    return keep


def contents(root: Path, package: str) -> Iterator[Path]:
    """The files and folders of a package, by their place in the tree: /bin and /lib are links into /usr."""
    for listed in (root / "var/lib/dpkg/info").glob("*.list"):
        if listed.stem.partition(":")[0] == package:
            for line in listed.read_text().splitlines():
                path = root / line.lstrip("/")
                yield Path(os.path.realpath(path.parent)) / path.name


def remove_packages(root: Path) -> None:
    """Delete the files of packages that do not stay, and their entries."""
    status = root / "var/lib/dpkg/status"
    known = packages(status.read_text())
    keep = kept(known)
    stay = {path for name in keep for path in contents(root, name)}
    go = {path for name in known.keys() - keep for path in contents(root, name)} - stay
    for path in sorted(go, reverse=True):  # what is in a folder before the folder
        if path.is_dir() and not path.is_symlink():
            with contextlib.suppress(OSError):  # something else is in it
                path.rmdir()
        else:
            path.unlink(missing_ok=True)
    status.write_text("".join(f"{known[name][0]}\n\n" for name in sorted(keep)))
    for record in (root / "var/lib/dpkg/info").iterdir():
        if record.stem.partition(":")[0] not in keep or record.suffix in SCRIPTS:
            record.unlink()


def remove(path: Path) -> None:
    """A file, a link or a whole folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def tree(root: Path) -> Iterator[Path]:
    """Everything on the root's own device, so neither /proc nor what the build has mounted."""
    device = root.stat().st_dev
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if os.lstat(os.path.join(folder, name)).st_dev == device]
        yield from (Path(folder, name) for name in (*folders, *files))


def dangling(root: Path, link: Path) -> bool:
    """Whether a link leads to nothing in the tree."""
    target = os.readlink(link)
    return not os.path.lexists(root / target.lstrip("/") if os.path.isabs(target) else link.parent / target)


def main() -> None:
    root = Path(sys.argv[1]).resolve()
    remove_packages(root)
    for pattern in (*FOLDERS, *PYTHON):
        for path in root.glob(pattern):
            remove(path)
    for name in ("var/cache", "var/log"):
        (root / name).mkdir(exist_ok=True)
    for path in list(tree(root)):
        if path.is_symlink():
            if dangling(root, path):
                path.unlink()
        elif (mode := path.stat().st_mode) & (stat.S_ISUID | stat.S_ISGID):
            path.chmod(stat.S_IMODE(mode) & ~(stat.S_ISUID | stat.S_ISGID))


main()
