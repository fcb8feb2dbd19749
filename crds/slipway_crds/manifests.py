"""Reading manifests the way an API server does.

YAML is what its reader makes of it, and Kubernetes reads with go-yaml: `on` and `y` are booleans, `08` is the number 8,
`1:30` is a string, and a whole number may be written `5.0`. So the scalars here follow go-yaml's table
(go.yaml.in/yaml/v2, resolve.go) rather than PyYAML's, keys given twice are found, and every field keeps its line.
"""

import base64
import binascii
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

SUFFIXES = (".yaml", ".yml", ".json")

Place = tuple[str | int, ...]
"""Where a value stands: keys and positions from the document's root."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with a field and what to write instead.

    `path` is like `spec.knowledge[0].minScore`, and empty for the document as a whole. `message` goes on where the
    path ends. `waiting` marks what would heal by itself in a cluster, once something else is applied: a warning.
    """

    path: str
    message: str
    waiting: bool = False

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


DEEPEST = 100
"""Levels of nesting that anybody would write; no object of ours has a tenth of them."""


class ManifestError(ValueError):
    """A file that cannot be read as manifests; the message names file and line."""


@dataclass(frozen=True)
class Document:
    """One object of a manifest file, as plain data.

    `line` is where it begins, `lines` where each field stands (by path); both count from 1. `problems` are the keys
    that it gives twice.
    """

    value: object
    source: str = ""
    line: int = 1
    lines: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def line_of(self, path: str) -> int:
        """The line of a field, or of the nearest one around it for a field that is missing."""
        while path and path not in self.lines:
            path = re.sub(r"(\.?[^.\[\]]*|\[[^\]]*\])$", "", path)
        return self.lines.get(path, self.line)


def load_paths(paths: Iterable[Path]) -> list[Document]:
    """Every object in files and in folders' own files (not in folders below), as `kubectl apply -f` takes them.

    Raises:
        ManifestError: if a path does not exist, a folder holds no manifest, or a file is not YAML.
    """
    documents: list[Document] = []
    for path in paths:
        for file in manifest_files(path):
            try:
                text = file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise ManifestError(f"{file}: cannot be read: {error}") from error
            documents += load_text(text, str(file))
    return documents


def manifest_files(path: Path) -> list[Path]:
    """The manifest files that a path stands for: itself, or a folder's, sorted.

    Raises:
        ManifestError: if there are none.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ManifestError(f"{path}: there is no such file or folder")
    files = sorted(each for each in path.iterdir() if each.suffix in SUFFIXES and each.is_file())
    if not files:
        raise ManifestError(f"{path}: this folder holds no manifests (files ending in {', '.join(SUFFIXES)})")
    return files


def load_text(text: str, source: str = "") -> list[Document]:
    """The objects in a YAML or JSON text; empty documents are left out, a `List` is taken apart.

    Raises:
        ManifestError: if the text is not YAML, or holds what JSON has no word for.
    """
    try:
        _check_depth(text, source)
        nodes = list(yaml.compose_all(text, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ManifestError(f"{source}:{line}: this is not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise ManifestError(f"{source}: this is not YAML: {error}") from error
    documents: list[Document] = []
    for node in nodes:
        reader = _Reader(source)
        value = reader.read(node, ())
        if value is not None:
            documents += _items(Document(value, source, node.start_mark.line + 1, reader.lines, tuple(reader.problems)))
    return documents


def _check_depth(text: str, source: str) -> None:
    """Refuse what is nested too deeply before libyaml composes it, which it does by recursion, down to a crash."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise ManifestError(f"{source}:{line}: this is nested deeper than {DEEPEST} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def format_place(place: Iterable[str | int]) -> str:
    """`("spec", "knowledge", 0)` as `spec.knowledge[0]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")


def _items(document: Document) -> Iterator[Document]:
    value = document.value
    if not (isinstance(value, dict) and value.get("kind") == "List" and isinstance(value.get("items"), list)):
        yield document
        return
    for position, item in enumerate(value["items"]):
        lines = {inner: line for path, line in document.lines.items() if (inner := _within(path, position)) is not None}
        problems = tuple(
            replace(problem, path=inner)
            for problem in document.problems
            if (inner := _within(problem.path, position)) is not None
        )
        yield Document(item, document.source, lines.get("", document.line), lines, problems)


def _within(path: str, position: int) -> str | None:
    """A path of a List as seen from one of its items; None if it leads elsewhere."""
    prefix = f"items[{position}]"
    return path.removeprefix(prefix).removeprefix(".") if path.startswith(prefix) else None


_TAG = "tag:yaml.org,2002:"
_PLAIN = _TAG + "plain"
"""Our tag of what is neither quoted nor tagged, so that its meaning is `resolve_scalar`'s business alone."""


class _Loader(yaml.CSafeLoader):
    """libyaml's parser, without PyYAML's idea of scalars."""

    yaml_implicit_resolvers = {None: [(_PLAIN, re.compile(""))]}  # noqa: RUF012 (the base class declares it so)


_BOOLEANS = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
}
_NULLS = {"", "~", "null", "Null", "NULL"}
_NOT_NUMBERS = {
    "." + word: value
    for name, value in (("nan", math.nan), ("inf", math.inf))
    for word in (name, name.capitalize(), name.upper(), "NaN" if name == "nan" else name)
}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*|0[oO]?[0-7]+|0[xX][0-9a-fA-F]+|0[bB][01]+)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def resolve_scalar(text: str) -> Any:
    """A plain scalar as go-yaml reads it, and as JSON then carries it (a float that is whole becomes an integer)."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text.lstrip("+-") in _NOT_NUMBERS:
        return _NOT_NUMBERS[text.lstrip("+-")]
    if text[0] not in "+-.0123456789":
        return text
    plain = text.replace("_", "")
    if _INTEGER.fullmatch(plain):
        return _integer(plain)
    if _FLOAT.fullmatch(plain):
        number = float(plain)
        return int(number) if number.is_integer() and abs(number) < 1e21 else number
    return text


def _integer(text: str) -> int:
    digits = text.lstrip("+-").lower()
    octal = len(digits) > 1 and digits[0] == "0" and digits.isdigit()
    number = int(digits, 8) if octal else int(digits, 0)
    return -number if text.startswith("-") else number


class _Reader:
    """Turns one document's nodes into plain data. Nodes that stand in several places (aliases) are read once."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.lines: dict[str, int] = {}
        self.problems: list[Problem] = []
        self._done: dict[int, Any] = {}
        self._open: set[int] = set()

    def read(self, node: yaml.Node, place: Place) -> Any:
        self.lines.setdefault(format_place(place), node.start_mark.line + 1)
        if id(node) in self._done:
            return self._done[id(node)]
        if id(node) in self._open:
            raise self._error(node, "this alias contains itself")
        self._open.add(id(node))
        value = self._read(node, place)
        self._open.remove(id(node))
        self._done[id(node)] = value
        return value

    def _read(self, node: yaml.Node, place: Place) -> Any:
        if isinstance(node, yaml.SequenceNode):
            return [self.read(child, (*place, position)) for position, child in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if _is_merge(key_node):
                merged |= {key: value for key, value in self._merged(value_node, place).items() if key not in merged}
                continue
            key = self._key(key_node)
            value = self.read(value_node, (*place, key))
            if key in mapping:
                self._twice((*place, key), "is given twice: keep one of the two")
            mapping[key] = value
        for key in mapping.keys() & merged.keys():
            self._twice((*place, key), "is given here and through `<<`: Kubernetes takes that for given twice")
        return merged | mapping

    def _merged(self, node: yaml.Node, place: Place) -> dict[str, Any]:
        """What a merge key brings in: one mapping, or several of which the first to have a key wins."""
        value = self.read(node, place)
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(part, dict) for part in parts):
            raise self._error(node, "`<<` takes an alias of a mapping, or a list of them")
        return {key: each for part in reversed(parts) for key, each in part.items()}

    def _twice(self, place: Place, message: str) -> None:
        self.problems.append(Problem(format_place(place), message))

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self._error(node, "a key must be a word, not a list or a mapping")
        key = self._scalar(node)
        if key is None:
            raise self._error(node, "a key must not be null: put it in quotes")
        return str(key).lower() if isinstance(key, bool) else str(key)

    def _scalar(self, node: yaml.Node) -> Any:
        tag, text = node.tag.removeprefix(_TAG), str(node.value)
        if tag == "binary":
            try:
                return base64.b64decode(text.replace("\n", ""), validate=True).decode()
            except (binascii.Error, UnicodeDecodeError) as error:
                raise self._error(node, f"this is not base64 of a text: {error}") from error
        value = resolve_scalar(text) if tag in ("plain", "int", "float", "bool", "null") else text
        if isinstance(value, float) and not math.isfinite(value):
            raise self._error(node, "JSON has no infinity and no NaN: write a number")
        return value

    def _error(self, node: yaml.Node, message: str) -> ManifestError:
        return ManifestError(f"{self.source}:{node.start_mark.line + 1}: {message}")


def _is_merge(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == _PLAIN and node.value == "<<"
