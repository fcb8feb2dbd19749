"""What a machine lacks, and what the user reads about it."""

from dataclasses import replace
from pathlib import Path

import pytest

from devcluster import checks
from devcluster.checks import PACKAGES, Machine
from devcluster.errors import DevclusterError

GOOD = Machine(
    root=True,
    commands=frozenset(PACKAGES),
    cni=True,
    go=(1, 26),
    cgroups=True,
    namespaces=True,
    modules=frozenset(checks.MODULES),
    free=checks.MINIMUM_FREE,
    apt=True,
)


def test_a_good_machine_lacks_nothing() -> None:
    assert checks.lacks(GOOD) == []


@pytest.mark.parametrize(
    ("machine", "what", "remedy"),
    [
        (replace(GOOD, root=False), "root", "run it as root"),
        (replace(GOOD, root=False, namespaces=False), "root", "run it as root"),
        (replace(GOOD, cgroups=False), "control groups", "/sys/fs/cgroup"),
        (replace(GOOD, namespaces=False), "namespaces", "privileged"),
        (replace(GOOD, modules=frozenset({"br_netfilter"})), "kernel module overlay", "modprobe overlay"),
        (replace(GOOD, free=2**30), "disk space", "1.0 GiB are left"),
        (replace(GOOD, go=None), "Go", "install Go 1.26 or newer"),
        (replace(GOOD, go=(1, 9)), "Go 1.26", "Go 1.9 is too old"),
        (replace(GOOD, cni=False), "network plugins", "containernetworking-plugins"),
        (replace(GOOD, commands=GOOD.commands - {"runc"}), "command runc", "apt-get install runc"),
    ],
)
def test_each_lack_is_named_with_its_remedy(machine: Machine, what: str, remedy: str) -> None:
    (lack,) = checks.lacks(machine)
    assert lack.what == what
    assert remedy in lack.remedy


def test_the_description_ends_with_one_command_for_all_packages() -> None:
    text = checks.describe(checks.lacks(replace(GOOD, commands=frozenset(), root=False)))
    assert "root: run it as root" in text
    assert "apt-get install --no-install-recommends buildah busybox-static conntrack containerd" in text
    assert text.count("apt-get install containerd") == 2  # for containerd and for ctr


@pytest.mark.parametrize(
    ("text", "version"),
    [("go version go1.26.8 linux/amd64", (1, 26)), ("go version go1.9 linux/amd64", (1, 9)), ("", None)],
)
def test_go_version(text: str, version: tuple[int, int] | None) -> None:
    assert checks.parse_go_version(text) == version


def _machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *found: Machine) -> list[list[str]]:
    """A machine on which these are found, one after the other, and what is done to it."""
    answers = iter(found)
    installed: list[list[str]] = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(checks, "look_around", lambda: next(answers))
    monkeypatch.setattr(checks, "install_packages", installed.append)
    monkeypatch.setattr(checks, "succeeds", installed.append)
    return installed


def test_missing_modules_are_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done = _machine(monkeypatch, tmp_path, bare := replace(GOOD, modules=frozenset({"overlay"})), bare, GOOD)
    checks.ensure(install=True)
    assert done == [["modprobe", "br_netfilter"]]


BARE = replace(GOOD, commands=GOOD.commands - {"runc", "ctr", "containerd"})


def test_missing_packages_are_installed_once_each(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    installed = _machine(monkeypatch, tmp_path, BARE, BARE, GOOD)
    checks.ensure(install=True)
    assert installed == [["containerd", "runc"]]


def test_what_another_command_installed_meanwhile_is_not_installed_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installed = _machine(monkeypatch, tmp_path, BARE, GOOD, GOOD)
    checks.ensure(install=True)
    assert installed == []


@pytest.mark.parametrize(
    ("machine", "install"),
    [
        (BARE, False),
        (replace(BARE, go=None), True),
        (replace(BARE, root=False), True),
        (replace(BARE, apt=False), True),
    ],
    ids=["told not to", "would not help", "not root", "no apt"],
)
def test_nothing_is_installed_where_it_would_not_help(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, machine: Machine, install: bool
) -> None:
    installed = _machine(monkeypatch, tmp_path, machine)
    with pytest.raises(DevclusterError, match="this machine lacks"):
        checks.ensure(install=install)
    assert installed == []
