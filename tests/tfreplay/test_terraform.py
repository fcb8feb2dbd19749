"""Which terraform is used, and how it is built where there is none. Go is played by a script."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tfreplay.errors import ReplayError
from tfreplay.terraform import VERSION, executable

GO = """#!/bin/sh
echo "$*" >> {record}
case "$1" in
  mod) /bin/cp go.mod {record}.mod ;;
  build) {build} ;;
esac
"""
TERRAFORM = """#!/bin/sh
echo '{{"terraform_version": "{version}"}}'
"""

find = executable.__wrapped__


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts a program on the path, on which there is nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def put(name: str, text: str) -> None:
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)

    return put


def go(tmp_path: Path, build: str = '/bin/cp /bin/true "$6"') -> str:
    return GO.format(record=tmp_path / "go", build=build)


def test_a_terraform_that_is_new_enough_is_used(programs: Callable[[str, str], None], tmp_path: Path) -> None:
    programs("terraform", TERRAFORM.format(version="1.12.0"))
    assert find() == str(tmp_path / "bin" / "terraform")


@pytest.mark.parametrize("version", [None, "1.10.5"])
def test_without_one_it_is_built_once(
    programs: Callable[[str, str], None], tmp_path: Path, version: str | None
) -> None:
    programs("go", go(tmp_path))
    if version:
        programs("terraform", TERRAFORM.format(version=version))
    built = find()
    assert built == find() == str(tmp_path / "cache" / "slipway" / "tfreplay" / f"terraform-{VERSION}" / "terraform")
    assert os.access(built, os.X_OK)
    commands = (tmp_path / "go").read_text().splitlines()
    assert [command.split()[:2] for command in commands] == [["mod", "tidy"], ["build", "-trimpath"]]


def test_terraform_is_built_as_a_tool_of_a_module(programs: Callable[[str, str], None], tmp_path: Path) -> None:
    """`go install` refuses terraform for the `replace` lines in its go.mod."""
    programs("go", go(tmp_path))
    find()
    lines = (tmp_path / "go.mod").read_text().splitlines()
    assert f"\tgithub.com/hashicorp/terraform v{VERSION}" in lines
    assert "tool github.com/hashicorp/terraform" in lines


def test_a_failed_build_says_what_go_said_and_is_not_taken_for_terraform(
    programs: Callable[[str, str], None], tmp_path: Path
) -> None:
    programs("go", go(tmp_path, 'echo half > "$6"; echo "no such module" >&2; exit 1'))
    for _ in range(2):
        with pytest.raises(ReplayError, match="no such module"):
            find()


def test_without_terraform_and_go_the_user_is_told_what_to_install(programs: Callable[[str, str], None]) -> None:
    with pytest.raises(ReplayError, match=r"install one of them.*developer\.hashicorp\.com"):
        find()
