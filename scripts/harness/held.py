"""Holding .harness to held.txt, which has what runs of it on lines, each key and value, with templates put in.

Most settings of a step can open its gate: a variable that makes `make` print and not run, a strategy that takes a
failure away, a scan of one image five times. A rule for each would never be complete. So all of them are written down
once more, and a change shows there too, in every stage that it reaches, to whoever reads the commit.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from scripts.harness.folder import Entity, Folder, Json
from scripts.harness.problems import Path as Keys
from scripts.harness.problems import Problem
from scripts.harness.references import source_files
from scripts.harness.templates import Expanded, label

FILE = Path(__file__).with_name("held.txt")
_LINE = re.compile(r"[^:]+: .+ = .+")
MEANT = "if this is meant, run `python -m scripts.harness hold` and commit what it changes in scripts/harness/held.txt"


@dataclass(frozen=True)
class Leaf:
    """One value."""

    file: str
    path: Keys
    """Stages, steps and variables by their identifiers, all else in lists by its place."""
    value: str
    """As JSON."""
    origin: str | None = None
    """The template's file, if one brought the value."""

    @property
    def where(self) -> str:
        return f"{self.file}: {'.'.join(map(str, self.path))}"

    def __str__(self) -> str:
        return f"{self.where} = {self.value}"


def leaves(folder: Folder, runs: Sequence[tuple[Entity, Expanded]]) -> list[Leaf]:
    """What is held of a folder in which nothing else is wrong, with its pipelines as they run."""
    found: list[Leaf] = []
    for pipeline, run in runs:
        for path, named, value in _values(run.tree, ("pipeline",), ("pipeline",)):
            found.append(Leaf(pipeline.file, named, value, run.origin(path)))
    for entity in folder.entities:
        if entity.kind not in ("pipeline", "template"):
            values = _values(entity.body, (), (entity.kind,))
            found += [Leaf(entity.file, named, value) for _, named, value in values]
    for file in sorted({path for service in folder.of("service") for _, path in source_files(folder, service)}):
        found += _applied(folder.root / file, file)
    return sorted(found, key=lambda leaf: leaf.file)


def _applied(file: Path, named: str) -> Iterator[Leaf]:
    """`metadata` of the objects that a service applies: Harness waits for what their annotations say."""
    for document in yaml.load_all(file.read_text(encoding="utf-8"), yaml.CSafeLoader) if file.is_file() else ():
        if isinstance(document, Mapping) and "kind" in document:
            for _, path, value in _values(document.get("metadata"), (), (str(document["kind"]), "metadata")):
                yield Leaf(named, path, value)


def _values(node: Json, path: Keys, named: Keys) -> Iterator[tuple[Keys, Keys, str]]:
    """Each value in a tree, with its path by places and by names. The order of a mapping's keys says nothing."""
    if isinstance(node, Mapping) and node:
        for key in sorted(node, key=str):
            yield from _values(node[key], (*path, key), (*named, key))
    elif isinstance(node, list) and node:
        for place, part in enumerate(node):
            yield from _values(part, (*path, place), (*named, label(part, place)))
    else:
        yield path, named, json.dumps(node, default=str)  # str: a date, in annotations


def text(found: Iterable[Leaf]) -> str:
    """What held.txt has to be."""
    return "".join(f"{leaf}\n" for leaf in found)


def problems(found: Sequence[Leaf], held: str) -> Iterator[Problem]:
    """What differs from held.txt.

    Args:
        found: what `leaves` says.
        held: the text of held.txt.
    """
    lines = held.splitlines()
    unread = [number for number, line in enumerate(lines, 1) if not _LINE.fullmatch(line)]
    if unread:
        yield Problem("held.txt", (), f"line {unread[0]} is no `FILE: PATH = VALUE`: {MEANT}")
        return
    before = dict(line.split(" = ", 1) for line in lines)
    now = {leaf.where: leaf for leaf in found}
    for where in before.keys() - now.keys():
        file, path = where.split(": ", 1)
        yield Problem(file, (path,), f"changed: was {before[where]} and is gone; {MEANT}")
    for where, leaf in now.items():
        if before.get(where) != leaf.value:
            change = f"was {before[where]} and is {leaf.value}" if where in before else f"{leaf.value} is new"
            source = f" (from {leaf.origin})" if leaf.origin else ""
            yield Problem(leaf.file, leaf.path, f"changed: {change}; {MEANT}{source}")
    if {where: leaf.value for where, leaf in now.items()} == before:
        for leaf, line in zip(found, held.splitlines(), strict=False):
            if str(leaf) != line:
                yield Problem(leaf.file, leaf.path, f"changed: has another place, or is there twice; {MEANT}")
                return
        if len(found) != len(held.splitlines()):
            yield Problem(found[-1].file, found[-1].path, f"changed: is there twice; {MEANT}")
