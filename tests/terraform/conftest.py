"""Every test here runs the real terraform on what the repository ships."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tfreplay.check import folders
from tfreplay.replay import replaying
from tfreplay.terraform import executable

ROOT = Path(__file__).parents[2]
TERRAFORM = ROOT / "terraform"

LOCAL_STATE = 'terraform {\n  backend "local" {}\n}\n'
# What a provider's configuration reads; nobody is asked.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "COCKROACH_API_KEY": "none"}


VARIABLE = re.compile(r'^variable "(\w+)"', re.MULTILINE)


def inputs(module: Path) -> set[str]:
    """Names of a module's variables. Every worker asks for them when it collects, and parsing HCL takes seconds."""
    return {name for path in module.glob("*.tf") for name in VARIABLE.findall(path.read_text())}


@dataclass(frozen=True)
class Folder:
    """A folder that terraform works in, with its own data folder."""

    path: Path
    environment: dict[str, str]

    def command(self, *arguments: str) -> list[str]:
        return [executable(), f"-chdir={self.path}", arguments[0], "-no-color", *arguments[1:]]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments), env=self.environment, capture_output=True, text=True, check=False
        )

    def must(self, *arguments: str) -> str:
        """The standard output of a command that has to succeed."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"terraform {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="session")
def replayed() -> Iterator[dict[str, str]]:
    """The environment in which terraform finds every provider that terraform/ uses."""
    with replaying(folders(TERRAFORM)) as environment:
        yield environment


@pytest.fixture
def folder(tmp_path: Path, replayed: dict[str, str]) -> Callable[[str], Folder]:
    """Makes a folder with one configuration in it."""

    def make(configuration: str, name: str = "root") -> Folder:
        path = tmp_path / name
        path.mkdir()
        (path / "main.tf").write_text(configuration)
        return Folder(path, {**replayed, "TF_DATA_DIR": str(path / ".data")})

    return make


@pytest.fixture(scope="session")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of terraform/ (and of what it reads next to it) to write in."""
    home = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns(".terraform", "terratest")
    shutil.copytree(TERRAFORM, home / "terraform", ignore=ignored)
    for name in ("charts", "examples"):
        os.symlink(ROOT / name, home / name)
    return home / "terraform"


@pytest.fixture
def stack(copied: Path, tmp_path: Path, replayed: dict[str, str]) -> Callable[[str], Folder]:
    """A stack with a local state, since the states of the environments are in clouds."""

    def make(name: str) -> Folder:
        path = copied / "stacks" / name
        (path / "backend_override.tf").write_text(LOCAL_STATE)
        made = Folder(path, {**replayed, "TF_DATA_DIR": str(tmp_path / "data"), **CREDENTIALS})
        made.must("init", f"-backend-config=path={tmp_path / 'state'}", "-input=false")
        return made

    return make
