"""What is wrong, where, and what to write instead."""

from dataclasses import dataclass

Path = tuple[str | int, ...]


@dataclass(frozen=True, order=True)
class Problem:
    """One finding."""

    file: str
    """Relative to the repository."""
    path: Path
    """Keys and indexes from the document's root."""
    message: str

    def __str__(self) -> str:
        where = ".".join(str(part) for part in self.path)
        return f"{self.file}: {where}: {self.message}" if where else f"{self.file}: {self.message}"
