"""Remembers which folders passed as they are, so that a second check of a tree looks at what changed alone.

A folder's digest is over everything that can change its verdict: its files, the files and folders that they name with
`../`, what those name in turn, this package and the version of terraform.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tfreplay.providers import cache_home
from tfreplay.terraform import executable, version

_OUTSIDE = re.compile(r'"(?:\$\{path\.\w+\}/)?(\.\./[^"$]*|\.\.)')
_READ = (".tf", ".hcl")


def digest(root: Path) -> str:
    """Of a folder with a Terraform configuration: 64 hexadecimal digits."""
    made = hashlib.sha256(_tool().encode())
    for file in sorted(_files(root.resolve())):
        made.update(f"{os.path.relpath(file, root)}\0{_content(file)}\0".encode())
    return made.hexdigest()


def passed(digest: str) -> int | None:
    """How many test runs passed in a folder with that digest; None for one that has not passed."""
    file = _folder() / digest
    return int(file.read_text()) if file.exists() else None


def remember(digest: str, runs: int) -> None:
    """A folder with that digest has passed."""
    _folder().mkdir(parents=True, exist_ok=True)
    draft = _folder() / f".{digest}.{os.getpid()}"
    draft.write_text(str(runs))
    draft.rename(_folder() / digest)


def _folder() -> Path:
    return cache_home() / "passed"


def _files(root: Path) -> set[Path]:
    """Every file of a folder, and of what is named from there."""
    found: set[Path] = set()
    waiting = [root]
    while waiting:
        place = waiting.pop()
        for file in set(_below(place)) - found:
            found.add(file)
            if file.suffix in _READ:
                waiting += _named(file)
    return found


def _below(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
    for folder, folders, names in os.walk(place):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(folder, name) for name in names if not name.startswith("."))


def _named(file: Path) -> Iterator[Path]:
    # Tests name modules from the folder whose tests they are, configurations from their own.
    bases = (file.parent, file.parent.parent) if file.suffix == ".hcl" else (file.parent,)
    for named in _OUTSIDE.findall(file.read_text()):
        yield from (path for base in bases if (path := (base / named).resolve()).exists() and path != Path("/"))


@cache
def _content(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@cache
def _tool() -> str:
    """Of this package and of terraform."""
    here = Path(__file__).parent
    files = sorted(file for file in here.rglob("*") if file.is_file() and file.suffix != ".pyc")
    return "".join([str(version(executable())), *(_content(file) for file in files)])
