"""Reading manifests the way `kubectl` and an API server do.

YAML is what its reader makes of it, and Kubernetes reads with go-yaml. So scalars follow go-yaml rather than PyYAML
(`scalars`), keys given twice are found, and every field keeps its line. What a file amounts to is bounded
(`composing`), since manifests come from strangers too.
"""

import base64
import binascii
import codecs
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from slipway_crds import composing
from slipway_crds.composing import MOST_DOCUMENTS, PLAIN, TAG, Node, Scalar, Sequence, UnreadableYaml, compose
from slipway_crds.scalars import TYPED, NumberTooLong, fits_tag, resolve_scalar

SUFFIXES = (".yaml", ".yml", ".json")
MOST_BYTES = 32 * 1024 * 1024
"""Of one file. An API server takes objects of at most 3 MiB."""
MOST_PATH_CHARACTERS = 32 * 1024 * 1024
"""Of the paths of all values of one file: long keys in deep nesting are part of the path of each value below."""

Place = tuple[str | int, ...]
"""Where a value is: keys and positions from the document's root."""


@dataclass(frozen=True)
class FieldProblem:
    """What is wrong with a field and what to write instead.

    `path` is like `spec.knowledge[0].minScore`, and empty for the document as a whole. `message` goes on where the
    path ends. `waiting` marks a warning: what would resolve by itself in a cluster, once something else is applied,
    or what is probably a mistake.
    """

    path: str
    message: str
    waiting: bool = False

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ManifestError(ValueError):
    """A file that cannot be read as manifests; the message names file and line."""


@dataclass(frozen=True)
class ManifestDocument:
    """One object of a manifest file, as plain data.

    `line` is where it begins, `lines` where each field is (by path); both count from 1. `problems` are the keys
    that it gives twice.
    """

    value: object
    source: str = ""
    line: int = 1
    lines: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[FieldProblem, ...] = ()

    def line_of(self, path: str) -> int:
        """The line of a field, or of the nearest one around it for a field that is missing."""
        while path and path not in self.lines:
            path = path[: max(0, path.rfind("."), path.rfind("["))]
        return self.lines.get(path, self.line)


def load_paths(paths: Iterable[Path]) -> list[ManifestDocument]:
    """Every object in files and in folders' own files (not in folders below), as `kubectl apply -f` takes them.

    Raises:
        ManifestError: if a path does not exist, a folder holds no manifest, or a file is not YAML.
    """
    documents: list[ManifestDocument] = []
    for path in paths:
        for file in manifest_files(path):
            documents += load_text(_text(file), str(file))
    return documents


def _text(file: Path) -> str:
    """A file's text: UTF-8, or UTF-16 with a byte order mark, as kubectl reads them."""
    try:
        with file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ManifestError(f"{file}: this file is larger than {MOST_BYTES >> 20} MiB: split it")
        utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return content.decode("utf-16" if utf16 else "utf-8-sig")
    except OSError as error:
        raise ManifestError(f"{file}: cannot be read: {error}") from error
    except UnicodeDecodeError as error:
        raise ManifestError(
            f"{file}: cannot be read: {error}: save it as UTF-8, or as UTF-16 with a byte order mark"
        ) from error


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


def load_text(text: str, source: str = "") -> list[ManifestDocument]:
    """The objects in a YAML or JSON text; empty documents are left out, a `List` is taken apart.

    Raises:
        ManifestError: if the text is not YAML, holds what JSON has no word for, or exceeds a bound.
    """
    try:
        nodes = compose(_without_surrogates(text) if text.lstrip()[:1] == "{" else text)
    except UnreadableYaml as error:
        where = f"{source}:{error.line}" if error.line else source
        raise ManifestError(f"{where}: {error}") from error
    reader = _Reader(source)
    documents = [reader.document(node) for node in nodes]
    objects = [item for document in documents if document.value is not None for item in _items(document)]
    if len(objects) > MOST_DOCUMENTS:
        raise ManifestError(f"{source}: this file has more than {MOST_DOCUMENTS} objects: split it")
    return objects


_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_LONE = re.compile(r"(?<!\\)((?:\\\\)*)\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def _without_surrogates(text: str) -> str:
    """A JSON text in which characters beyond U+FFFF are not written as two escapes, which YAML does not know.

    What is no half of a pair becomes U+FFFD, as `kubectl` reads it.
    """
    paired = _PAIR.sub(lambda pair: pair[1] + bytes.fromhex(pair[2] + pair[3]).decode("utf-16-be"), text)
    return _LONE.sub(r"\1\\ufffd", paired)


def format_place(place: Iterable[str | int]) -> str:
    """`("spec", "knowledge", 0)` as `spec.knowledge[0]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")


_ITEM = re.compile(r"items\[(\d+)\]\.?(.*)", re.DOTALL)


def _items(document: ManifestDocument) -> list[ManifestDocument]:
    """A `List` taken apart; anything else as it is."""
    value = document.value
    if not (isinstance(value, dict) and value.get("kind") == "List" and isinstance(value.get("items"), list)):
        return [document]
    lines: list[dict[str, int]] = [{} for _ in value["items"]]
    problems: list[list[FieldProblem]] = [[] for _ in value["items"]]
    for path, line in document.lines.items():
        if inner := _ITEM.fullmatch(path):
            lines[int(inner[1])][inner[2]] = line
    for problem in document.problems:
        if inner := _ITEM.fullmatch(problem.path):
            problems[int(inner[1])].append(replace(problem, path=inner[2]))
    return [
        ManifestDocument(item, document.source, lines[at].get("", document.line), lines[at], tuple(problems[at]))
        for at, item in enumerate(value["items"])
    ]


class _Reader:
    """Turns the nodes of one file into plain data. Nodes that are in several places (aliases) are read once."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._lines: dict[str, int] = {}
        self._problems: list[FieldProblem] = []
        self._path_characters = 0
        self._done: dict[int, Any] = {}
        self._open: set[int] = set()

    def document(self, node: Node) -> ManifestDocument:
        """One document, from its root."""
        self._lines, self._problems, self._done = {}, [], {}
        value = self._value(node, ())
        return ManifestDocument(value, self._source, node.line, self._lines, tuple(self._problems))

    def _value(self, node: Node, place: Place) -> Any:
        if id(node) in self._done:
            self._keep_line(node, place)
            return self._done[id(node)]
        if id(node) in self._open:
            raise self._error(node, "this alias contains itself")
        self._keep_line(node, place)
        self._open.add(id(node))
        value = self._read(node, place)
        self._open.remove(id(node))
        self._done[id(node)] = value
        return value

    def _keep_line(self, node: Node, place: Place) -> None:
        path = format_place(place)
        self._path_characters += len(path)
        if self._path_characters > MOST_PATH_CHARACTERS:
            raise self._error(node, "too many values stand under long keys in deep nesting: write shorter keys")
        self._lines.setdefault(path, node.line)

    def _read(self, node: Node, place: Place) -> Any:
        if isinstance(node, Sequence):
            return [self._value(child, (*place, position)) for position, child in enumerate(node.children)]
        if isinstance(node, composing.Mapping):
            return self._mapping(node, place)
        return self._scalar(node)

    def _mapping(self, node: composing.Mapping, place: Place) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.pairs:
            if _is_merge(key_node):
                merged |= {key: value for key, value in self._merged(value_node, place).items() if key not in merged}
                continue
            key = self._key(key_node)
            value = self._value(value_node, (*place, key))
            if key in mapping:
                self._twice((*place, key), "is given twice: keep one of the two")
            mapping[key] = value
        for key in mapping.keys() & merged.keys():
            self._twice((*place, key), "is given here and through `<<`: Kubernetes takes that for given twice")
        return merged | mapping

    def _merged(self, node: Node, place: Place) -> dict[str, Any]:
        """What a merge key brings in: one mapping, or several of which the first to have a key wins."""
        value = self._value(node, place)
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(part, dict) for part in parts):
            raise self._error(node, "`<<` takes an alias of a mapping, or a list of them")
        return {key: each for part in reversed(parts) for key, each in part.items()}

    def _twice(self, place: Place, message: str) -> None:
        self._problems.append(FieldProblem(format_place(place), message))

    def _key(self, node: Node) -> str:
        if not isinstance(node, Scalar):
            raise self._error(node, "a key must be a word, not a list or a mapping")
        key = self._scalar(node)
        if key is None:
            raise self._error(node, "a key must not be null: put it in quotes")
        return str(key).lower() if isinstance(key, bool) else str(key)

    def _scalar(self, node: Scalar) -> Any:
        tag, text = node.tag.removeprefix(TAG), node.text
        if tag == "binary":
            try:
                return base64.b64decode(text.replace("\n", ""), validate=True).decode()
            except (binascii.Error, UnicodeDecodeError) as error:
                raise self._error(node, f"this is not base64 of a text: {error}") from error
        try:
            if tag in TYPED and not fits_tag(tag, text):
                raise self._error(node, f"`{text[:60]}` is no !!{tag}: write one, or remove the tag")
            value = resolve_scalar(text) if tag == "plain" or tag in TYPED else text
        except NumberTooLong as error:
            raise self._error(node, f"{error}: put it in quotes if it is a text") from error
        if isinstance(value, float) and not math.isfinite(value):
            raise self._error(node, "JSON has no infinity and no NaN: write a number")
        return value

    def _error(self, node: Node, message: str) -> ManifestError:
        return ManifestError(f"{self._source}:{node.line}: {message}")


def _is_merge(node: Node) -> bool:
    return isinstance(node, Scalar) and node.tag == PLAIN and node.text == "<<"
