"""What is taken out of the base before it becomes an image, on a small tree; the real one is read in tests/cluster."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from slipway_demo.paths import ROOT

STATUS = """\
Package: python3
Status: install ok installed
Depends: python3-minimal (= 3.11), libpython3-stdlib | nothing
Pre-Depends: dpkg (>= 1)

Package: python3-minimal
Status: install ok installed
Description: with
 a second line

Package: libpython3-stdlib
Status: install ok installed

Package: dpkg
Status: install ok installed
Depends: tar

Package: tar
Status: install ok installed

Package: login
Status: install ok installed
"""
FILES = {
    "python3": ["/.", "/usr", "/usr/bin", "/usr/bin/python3", "/usr/share", "/usr/share/both"],
    "python3-minimal": [],
    "libpython3-stdlib:amd64": ["/lib/python.so"],
    "dpkg": ["/usr/bin/dpkg", "/usr/share/dpkg", "/usr/share/dpkg/table", "/usr/share/both"],
    "tar": ["/bin/tar"],
    "login": ["/bin/su", "/usr/share/login"],
}
FOLDERS = {"/.", "/usr", "/usr/bin", "/usr/share", "/usr/share/dpkg", "/usr/share/login"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree of six packages, with /bin and /lib as links into /usr, after the trimming."""
    tree = tmp_path / "tree"
    for folder in ("usr/bin", "usr/lib", "var/lib/dpkg/info", "etc/alternatives", "usr/local/bin", "tmp", "var/mail"):
        (tree / folder).mkdir(parents=True)
    for name in ("bin", "lib"):
        (tree / name).symlink_to(f"usr/{name}")
    for package, files in FILES.items():
        (tree / f"var/lib/dpkg/info/{package}.list").write_text("\n".join(files) + "\n")
        (tree / f"var/lib/dpkg/info/{package}.md5sums").write_text("")
        (tree / f"var/lib/dpkg/info/{package}.postinst").write_text("#!/usr/bin/perl")
        for name in files:
            path = tree / name.lstrip("/")
            path.mkdir(parents=True, exist_ok=True) if name in FOLDERS else path.write_text(package)
    (tree / "var/lib/dpkg/status").write_text(STATUS)
    (tree / "usr/share/login/left-by-hand").write_text("")
    (tree / "etc/alternatives/awk").symlink_to("/bin/su")
    (tree / "usr/bin/awk").symlink_to("/etc/alternatives/awk")
    (tree / "usr/bin/py").symlink_to("python3")
    (tree / "usr/bin/abs").symlink_to("/usr/bin/python3")
    packages = tree / "usr/local/lib/python3.11/site-packages"
    for name in ("pip/__init__.py", "pip-24.0.dist-info/RECORD", "setuptools/x.py", "kept/x.py"):
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).write_text("")
    (tree / "usr/local/bin/pip3.11").write_text("")
    for name, mode in {"usr/bin/python3": 0o6755, "tmp": 0o1777, "var/mail": 0o2775}.items():
        (tree / name).chmod(mode)
    subprocess.run([sys.executable, ROOT / "images" / "trim.py", tree], check=True)
    return tree


def test_what_is_wanted_stays_with_what_it_depends_on_and_the_rest_goes(root: Path) -> None:
    left = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() or path.is_symlink()}
    assert {name for name in left if name.startswith(("usr/bin", "usr/lib", "usr/share", "bin", "lib"))} == {
        *("bin", "lib", "usr/bin/python3", "usr/bin/py", "usr/bin/abs", "usr/lib/python.so", "usr/share/both"),
        "usr/share/login/left-by-hand",
    }
    assert not (root / "usr/share/dpkg").exists()
    assert not (root / "etc/alternatives").exists()


def test_the_records_of_what_stays_are_data_for_scanners(root: Path) -> None:
    entries = (root / "var/lib/dpkg/status").read_text().strip().split("\n\n")
    assert [entry.splitlines()[0] for entry in entries] == [
        *("Package: libpython3-stdlib", "Package: python3", "Package: python3-minimal")
    ]
    assert entries[2].endswith("Description: with\n a second line")
    assert {path.name for path in (root / "var/lib/dpkg/info").iterdir()} == {
        f"{name}.{suffix}"
        for name in ("libpython3-stdlib:amd64", "python3", "python3-minimal")
        for suffix in ("list", "md5sums")
    }


def test_no_installer_of_packages_stays(root: Path) -> None:
    assert list((root / "usr/local/bin").iterdir()) == []
    assert [path.name for path in (root / "usr/local/lib/python3.11/site-packages").iterdir()] == ["kept"]


def test_programs_lose_setuid_and_setgid_bits_and_nothing_else(root: Path) -> None:
    modes = {name: stat.S_IMODE((root / name).stat().st_mode) for name in ("usr/bin/python3", "tmp", "var/mail")}
    assert modes == {"usr/bin/python3": 0o755, "tmp": 0o1777, "var/mail": 0o775}
