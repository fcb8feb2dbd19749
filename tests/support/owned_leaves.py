"""The leaves of an object that a field manager owns, and other values that somebody might write there."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ALTERNATIVES: dict[str, list[Any]] = {
    "IfNotPresent": ["Always"],
    "Retain": ["Delete"],
    "RollingUpdate": ["Recreate"],
    "OnRootMismatch": ["Always"],
    "RuntimeDefault": ["Unconfined"],
    "FallbackToLogsOnError": ["File"],
    "ClusterIP": ["NodePort"],
    "http": ["other", 9999],
    "TCP": ["UDP"],
    "Utilization": ["AverageValue"],
    "25%": ["50%"],
}


@dataclass(frozen=True)
class Leaf:
    """A JSON pointer into the object, and what is there."""

    pointer: str
    value: Any


def leaves(owned: Mapping[str, Any], live: Any, pointer: str = "") -> Iterator[Leaf]:
    """Every leaf of a `fieldsV1` entry that is in the object."""
    below = {key: node for key, node in owned.items() if key != "."}
    if not below:
        yield Leaf(pointer, live)
        return
    for key, node in below.items():
        kind, _, rest = key.partition(":")
        if kind == "f" and rest in live:
            escaped = rest.replace("~", "~0").replace("/", "~1")
            yield from leaves(node, live[rest], f"{pointer}/{escaped}")
        elif kind == "k":
            keys = json.loads(rest)
            position = next(i for i, item in enumerate(live) if all(item.get(k) == v for k, v in keys.items()))
            yield from leaves(node, live[position], f"{pointer}/{position}")
        elif kind == "v":
            position = live.index(json.loads(rest))
            yield Leaf(f"{pointer}/{position}", live[position])


def others(leaf: Leaf) -> Iterator[dict[str, Any]]:
    """JSON patch operations that change the leaf; the API server may refuse any of them."""
    for value in _values(leaf.value):
        yield {"op": "replace", "path": leaf.pointer, "value": value}
    yield {"op": "remove", "path": leaf.pointer}


def _values(value: Any) -> Iterator[Any]:
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield value + 1
        yield value - 1
    elif isinstance(value, str):
        yield from ALTERNATIVES.get(value, [])
        yield f"{value}x"
        yield f"x{value}"
        yield "2"
    elif isinstance(value, list):
        yield value[:-1]
        yield [*value, *value[:1]]
    elif isinstance(value, dict):
        for key, inner in value.items():
            for changed in _values(inner):
                yield {**value, key: changed}


def at(pointer: str, found: Any) -> Any:
    """What is at the pointer; None if nothing is."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list):
            found = found[int(key)] if int(key) < len(found) else None
        elif isinstance(found, dict):
            found = found.get(key)
        else:
            return None
    return found
