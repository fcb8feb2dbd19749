"""The manifests in tests/crds/bad, each with what is wrong with it, for the fast tests and the ones on a real server.

A file holds documents parted by `---`. A document begins with a comment that says what it tries, and one comment
`# > field: message` for each problem that `slipway validate` has to report.
"""

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "crds" / "bad"
_EXPECTED = "# > "


@dataclass(frozen=True)
class BadManifest:
    """A document of these files: a readable id, its text, and the problems that it has."""

    id: str
    text: str
    problems: tuple[str, ...]


def bad_manifests() -> list[BadManifest]:
    """All of them, sorted by file."""
    return [
        _read(file.stem, text)
        for file in sorted(FOLDER.glob("*.yaml"))
        for text in file.read_text(encoding="utf-8").split("\n---\n")
    ]


def _read(file: str, text: str) -> BadManifest:
    comments = [line for line in text.splitlines() if line.startswith("# ")]
    return BadManifest(
        id=f"{file}: {comments[0].removeprefix('# ')}",
        text=text + "\n",
        problems=tuple(line.removeprefix(_EXPECTED) for line in comments if line.startswith(_EXPECTED)),
    )
