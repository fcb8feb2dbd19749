"""Comparing a tree with a closed shape: every key is listed, every value is of a listed sort.

Harness ignores a key that it does not know, so a misspelt `condition` runs the stage always. Its own schema leaves most
objects open and is not always at hand; the shapes in `known` are, and they list only what our files use.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scripts.harness.folder import Json
from scripts.harness.problems import Path

Shape = Any
"""One of:

- a mapping of keys to shapes: no other key is allowed, and all must be there but those written with a `?` behind;
- a mapping of the type `str` to a shape: any keys;
- a list of one shape: a list of one or more such elements;
- `Kinds`: a mapping whose `type` decides on its `spec`;
- a tuple: one of these values;
- a range: a whole number in it;
- a pattern: a text that it matches in full;
- `str` or `bool`: a text that is not empty, or true or false;
- `ANYTHING`: what is looked at elsewhere.
"""
ANYTHING = object()


@dataclass(frozen=True)
class Kinds:
    """A mapping with a `type`, and a `spec` that depends on it."""

    what: str
    """For messages, for example `step`."""
    beside: Mapping[str, Shape]
    """Keys beside `type` and `spec`."""
    specs: Mapping[str, Shape]
    """The shape of `spec` by type; None where there is none."""


def differences(node: Json, shape: Shape, path: Path) -> Iterator[tuple[Path, str]]:
    """Where a tree is not of a shape, and what to write instead.

    Args:
        node: a tree in which no template is left to put in, but those that were not found: these are passed over.
        shape: see `Shape`.
        path: where the tree is.
    """
    if shape is ANYTHING:
        return
    if isinstance(shape, Kinds):
        yield from _kind(node, shape, path)
    elif isinstance(shape, dict):
        yield from _mapping(node, shape, path)
    elif isinstance(shape, list):
        if isinstance(node, list) and node:
            for place, part in enumerate(node):
                yield from differences(part, shape[0], (*path, place))
        else:
            yield path, f"{node!r} is no list with something in it; write one"
    else:
        complaint = _value(node, shape)
        if complaint:
            yield path, complaint


def _kind(node: Json, shape: Kinds, path: Path) -> Iterator[tuple[Path, str]]:
    if not isinstance(node, Mapping):
        yield path, f"{node!r} is no mapping; write the keys of a {shape.what}"
        return
    if "template" in node:
        return  # it was not found, or is no link to one, which `templates` and `known.link_problems` say
    kind = node.get("type")
    if not isinstance(kind, str) or kind not in shape.specs:
        yield (*path, "type"), f"no {shape.what} of the type {kind!r}; {_known(kind, shape.specs)}"
        return
    spec = shape.specs[kind]
    yield from _mapping(node, {"type": str, **shape.beside, **({} if spec is None else {"spec": spec})}, path)


def _mapping(node: Json, shape: Mapping[Any, Shape], path: Path) -> Iterator[tuple[Path, str]]:
    if not isinstance(node, Mapping):
        yield path, f"{node!r} is no mapping; write the keys {', '.join(_names(shape)) or 'of {}'}"
        return
    if str in shape:
        for key, part in node.items():
            yield from differences(part, shape[str], (*path, key))
        return
    for key in node:
        if key not in _names(shape):
            yield (*path, key), f"unknown key {key!r}; {_known(key, _names(shape))}"
    for key, part in shape.items():
        name = key.removesuffix("?")
        if name in node:
            yield from differences(node[name], part, (*path, name))
        elif name == key:
            yield path, f"the key {name!r} is missing; add it"


def _names(shape: Mapping[Any, Shape]) -> list[str]:
    return [str(key).removesuffix("?") for key in shape]


def _known(word: Json, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(str(word), list(known), 1)
    meant = f"did you mean {near[0]!r}? " if near else ""
    return f"misspelt? {meant}known here: {', '.join(sorted(known)) or 'none'} (scripts/harness/known.py)"


def _value(node: Json, shape: Shape) -> str | None:
    """Why a value is not of the sort; None if it is."""
    if isinstance(shape, tuple):
        if any(type(node) is type(value) and node == value for value in shape):
            return None
        return f"{_yaml(node)} is not known here; write one of {', '.join(map(_yaml, shape))}"
    if isinstance(shape, range):
        fits = type(node) is int and node in shape
        return None if fits else f"{node!r} is not a whole number from {shape.start} to {shape.stop - 1}"
    if isinstance(shape, re.Pattern):
        fits = isinstance(node, str) and shape.fullmatch(node) is not None
        return None if fits else f"{node!r} is not of the form {shape.pattern}"
    if shape is bool:
        return None if isinstance(node, bool) else f"{node!r} is neither true nor false"
    return None if isinstance(node, str) and node else f"{node!r} is no text; write one"


def _yaml(value: Json) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
