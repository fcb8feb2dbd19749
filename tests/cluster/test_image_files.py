"""What is in the images as they are built: nothing that helps somebody who breaks in, and all that pods need."""

import os
import re
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from devcluster import checks
from devcluster.commands import run
from slipway_demo import builders
from slipway_demo.images import ALL

pytestmark = pytest.mark.cluster

TOOLS = re.compile(r"apt|apt-.*|dpkg|dpkg-.*|perl.*|pip[0-9.]*|easy_install.*|wheel[0-9.]*|su|sudo|mount|passwd|login")
SSL_AND_ZONES = """
import os, ssl, zoneinfo
zoneinfo.ZoneInfo("Europe/Berlin")
paths = ssl.get_default_verify_paths()
assert any(name.endswith(".0") for name in os.listdir(paths.openssl_capath)), paths
assert ssl.create_default_context(cafile="/etc/ssl/certs/ca-certificates.crt").get_ca_certs()
"""


@dataclass(frozen=True)
class Tree:
    """An image's files, where they can be read."""

    root: Path
    user: str

    def files(self) -> Iterator[tuple[Path, os.stat_result]]:
        for folder, folders, files in os.walk(self.root):
            for name in (*folders, *files):
                path = Path(folder, name)
                yield path, path.lstat()

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command as the image's user."""
        whole = ["/usr/sbin/chroot", f"--userspec={self.user}", str(self.root), *command]
        env = {"PATH": "/usr/bin", "HOME": "/tmp"}
        return subprocess.run(whole, capture_output=True, text=True, check=False, env=env)


@pytest.fixture(scope="module", params=[image.name for image in ALL])
def tree(request: pytest.FixtureRequest) -> Iterator[Tree]:
    """Each image, built if need be, as a folder."""
    checks.ensure(install=True)
    image = next(each for each in ALL if each.name == request.param)
    (tag,) = builders.ensure(builders.Buildah(), (image,)).values()
    container = run(["buildah", "from", "--pull-never", builders.local_reference(image.name, tag)]).strip()
    try:
        user = run(["buildah", "inspect", "--format", "{{.OCIv1.Config.User}}", container]).strip()
        yield Tree(Path(run(["buildah", "mount", container]).strip()), user)
    finally:
        run(["buildah", "rm", container])


def test_no_program_takes_the_rights_of_another_user(tree: Tree) -> None:
    bits = stat.S_ISUID | stat.S_ISGID
    assert [path for path, found in tree.files() if not stat.S_ISLNK(found.st_mode) and found.st_mode & bits] == []


def test_there_is_no_installer_of_packages_no_perl_and_no_shell_for_people(tree: Tree) -> None:
    names = [path.name for path, found in tree.files() if not stat.S_ISDIR(found.st_mode) and found.st_mode & 0o111]
    assert "python3" in names
    assert [name for name in names if TOOLS.fullmatch(name) or name == "bash"] == []
    folders = [path for path, _ in tree.files() if path.name in ("pip", "ensurepip", "setuptools")]
    assert [path for path in folders if path.parent.name in ("site-packages", "dist-packages", "python3.11")] == []


def test_scanners_find_the_packages_that_are_there(tree: Tree) -> None:
    packages = re.findall(r"^Package: (.+)$", (tree.root / "var/lib/dpkg/status").read_text(), re.MULTILINE)
    assert {"libc6", "libssl3", "ca-certificates"} <= set(packages)
    assert {"apt", "dpkg", "perl-base", "login"}.isdisjoint(packages)


def test_the_user_can_do_what_programs_count_on(tree: Tree) -> None:
    assert tree.user == "65532:65532"
    assert stat.S_IMODE((tree.root / "tmp").stat().st_mode) == 0o1777
    for command in (("python3", "-c", SSL_AND_ZONES), ("id", "-un"), ("touch", "/tmp/written")):
        done = tree.run(*command)
        assert done.returncode == 0, (command, done.stderr)
    assert tree.run("id", "-un").stdout == "slipway\n"
