"""What is wrong, where, and what to write instead."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Path = tuple[str | int, ...]


@dataclass(frozen=True, order=True)
class HarnessProblem:
    """One finding."""

    file: str
    """Relative to the repository."""
    path: Path
    """Keys and indexes from the document's root."""
    message: str

    def __str__(self) -> str:
        where = ".".join(str(part) for part in self.path)
        return f"{self.file}: {where}: {self.message}" if where else f"{self.file}: {self.message}"


def walk(node: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Everything in a tree, itself first, with its path."""
    yield path, node
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, part in children:
        yield from walk(part, (*path, key))
